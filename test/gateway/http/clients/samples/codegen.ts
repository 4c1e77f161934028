// docs/clients.md contains this file: the configuration of @graphql-codegen/cli.

import type { CodegenConfig } from '@graphql-codegen/cli'

export default {
  schema: 'clinic.graphql',
  documents: 'src/**/*.graphql',
  generates: { 'src/clinic/': { preset: 'client', presetConfig: { fragmentMasking: false } } },
  config: {
    // dates and times are text: a masked one is a year, or `90+`
    scalars: { DateTime: 'string', PartialDate: 'string' },
    strictScalars: true,
    useTypeImports: true,
  },
} satisfies CodegenConfig
