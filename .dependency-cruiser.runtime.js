// Rules about the code that runs, without the imports of types. `.dependency-cruiser.js` has the layers, for types too.

import layers from './.dependency-cruiser.js'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no code that opens a value is in the function for auditors',
      comment: 'an error in an answer to an auditor cannot open a value that the function has no code for',
      severity: 'error',
      from: { path: '^functions/audit\\.ts$' },
      to: { path: '^gateway/(disclosure|mutations|crypto)/', reachable: true },
    },
  ],
  options: { ...layers.options, tsPreCompilationDeps: false },
}
