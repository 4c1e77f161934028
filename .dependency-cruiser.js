// What may import what: docs/architecture.md explains the table. Downward only, no cycles.
const entry = '^(functions|cli|infra|bench)/'
const below = (from, ...allowed) => ({
  name: `${from}-imports-downward`,
  comment: `${from}/ may import ${allowed.join(', ') || 'nothing of the project'}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: {
    path: '^(vocabulary|directives|crypto|audit|store|operations|access|disclosure|gateway|schema|resolvers|functions|infra|cli|fhir|demo|bench|test)/',
    pathNot: `^(${[from, ...allowed].join('|')})/`,
  },
})

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    below('vocabulary'),
    below('directives', 'vocabulary'),
    below('crypto', 'vocabulary'),
    below('audit', 'vocabulary'),
    below('store', 'crypto', 'audit', 'vocabulary'),
    below('access', 'store', 'crypto', 'audit', 'directives', 'vocabulary'),
    below('disclosure', 'access', 'store', 'crypto', 'audit', 'directives', 'vocabulary'),
    below('gateway', 'disclosure', 'access', 'store', 'crypto', 'audit', 'directives', 'vocabulary'),
    {
      name: 'verify-runs-in-a-browser',
      comment: 'who checks a log needs neither Node nor the gateway; this holds for types too',
      severity: 'error',
      from: { path: '^audit/verify/' },
      to: { pathNot: '^(audit/verify|vocabulary|node_modules/canonicalize|node_modules/@noble/hashes)/' },
    },
    // the shipped clinic
    below('schema'),
    below('resolvers', 'disclosure', 'vocabulary'),
    below('fhir', 'vocabulary'),
    below('demo', 'fhir', 'vocabulary'),
    // entry points
    below('functions', 'gateway', 'schema', 'resolvers', 'vocabulary'),
    {
      name: 'clinic-for-entry-points-only',
      comment: 'somebody else brings a schema, resolvers and an import of their own',
      severity: 'error',
      from: { path: '^(vocabulary|directives|crypto|audit|store|access|disclosure|gateway)/' },
      to: { path: '^(schema|resolvers|fhir|demo)/' },
    },
    {
      name: 'examples-use-the-package',
      comment: 'an example is somebody else: what it needs and the entry does not give is missing there',
      severity: 'error',
      from: { path: '^examples/' },
      to: { pathNot: '^(examples/|gateway/public\\.ts$|node_modules/)', dependencyTypesNot: ['core'] },
    },
    {
      name: 'nobody-imports-entry-points',
      severity: 'error',
      from: { pathNot: `${entry}|^test/` },
      to: { path: entry },
    },
    {
      name: 'aws-sdk-at-the-edge',
      comment: 'services are reached from the folders that own them',
      severity: 'error',
      from: { pathNot: '^(store|crypto|audit|infra/local|bench|test)/|^gateway/compose\\.ts$' },
      to: { path: 'node_modules/@aws-sdk/' },
    },
    {
      name: 'no-development-packages-in-the-function',
      severity: 'error',
      from: { path: '^(vocabulary|directives|crypto|audit|store|access|disclosure|gateway|schema|resolvers|functions)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-no-pkg'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
}
