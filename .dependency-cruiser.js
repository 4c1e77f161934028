// The layers of docs/architecture.md: a room imports only rooms below it, and there are no cycles.

const ROOT = 'gateway/[^/]+\\.ts$'
const room = (name) => `gateway/${name}/`

/** The rooms from top to bottom. Rooms in one row do not import each other. */
const LAYERS = [
  ['gateway/index\\.ts$'],
  [room('admin')],
  [ROOT],
  [room('oversight')],
  [room('mutations')],
  [room('disclosure')],
  [room('operations'), room('access')],
  [room('store')],
  [room('crypto'), room('audit')],
  [room('decide'), room('http'), room('telemetry')],
  [room('model')],
  ['directives/'],
]

const layers = LAYERS.flatMap((row, depth) =>
  row.map((from) => ({
    name: `${from.replace(/\\|\[.*\]\+|\$/g, '')} imports lower layers only`,
    severity: 'error',
    from: from === ROOT ? { path: `^${ROOT}`, pathNot: '^gateway/index\\.ts$' } : { path: `^${from}` },
    to: {
      path: '^(gateway|directives|schema|resolvers|functions|infra|cli|fhir|console|bench|test|examples)/',
      pathNot: `^(${[from, ...LAYERS.slice(depth + 1).flat()].join('|')})`,
      // the files at the top of gateway/ match the entry too
      ...(from === ROOT && {
        pathNot: `^(gateway/(?!index\\.ts$)[^/]+\\.ts$|${LAYERS.slice(depth + 1)
          .flat()
          .join('|')})`,
      }),
    },
  })),
)

/** The packages of the functions: "In the function" of docs/dependencies.md. */
const IN_FUNCTIONS = [
  '@apollo/server',
  '@aws-lambda-powertools/logger',
  '@aws-sdk/client-(athena|dynamodb|firehose|kms|lambda|s3|sts)',
  '@duckdb/node-api',
  '@graphql-inspector/core',
  '@graphql-tools/schema',
  '@noble/hashes',
  '@noble/post-quantum',
  '@smithy/core',
  '@smithy/signature-v4',
  'aws-jwt-verify',
  'canonicalize',
  'dataloader',
  'graphql',
  'graphql-middleware',
  'graphql-shield',
  'libphonenumber-js',
  'lru-cache',
  'zod',
]

/** Folders outside of the layers: the clinic, the entry points and the examples. */
const outside = (from, to, comment) => ({
  name: `${from} imports its own side only`,
  comment,
  severity: 'error',
  from: { path: `^${from}/` },
  to: {
    path: '^(gateway|directives|schema|resolvers|functions|infra|cli|fhir|console|bench|test|examples)/',
    pathNot: `^(${from}/|${to.join('|')})`,
  },
})

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no unresolved imports', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layers,
    outside('schema', [], 'the schema is text'),
    outside('resolvers', ['gateway/index\\.ts$'], 'a deployment with its own resolvers imports the package alone'),
    outside('fhir', ['gateway/model/', 'directives/'], 'the mapping knows records, not where they are stored'),
    {
      name: 'examples import the package',
      comment: 'an example is a deployment: a function that it needs and the entry lacks is missing in the entry',
      severity: 'error',
      from: { path: '^examples/' },
      to: { pathNot: '^(examples/|gateway/index\\.ts$|node_modules/)', dependencyTypesNot: ['core'] },
    },
    outside('functions', ['gateway/', 'directives/', 'schema/', 'resolvers/', 'fhir/(labels|record-rules)\\.ts$']),
    outside(
      'cli',
      [
        'gateway/',
        'directives/',
        'schema/',
        'resolvers/',
        'fhir/',
        'infra/local/(stack-file|start-command|token|environment|users|tour|dev|file-fault|make-folder|package-version|start-refused)\\.ts$',
      ],
      'commands find the local stack through its file',
    ),
    outside('infra', [
      'gateway/',
      'directives/',
      'schema/',
      'resolvers/',
      'fhir/',
      'functions/(audit|delivery|graphql|lambda-audit|notary|tables)\\.ts$',
    ]),
    outside(
      'bench',
      ['gateway/index\\.ts$', 'schema/clinic\\.ts$', 'functions/graphql\\.ts$', 'infra/'],
      'the bench measures what a deployment runs, and must run unchanged when formats change',
    ),
    {
      name: 'only the starts of the local stack import functions',
      severity: 'error',
      from: { path: '^infra/', pathNot: '^infra/local/(start|project-stack)\\.ts$' },
      to: { path: '^functions/' },
    },
    {
      name: 'the audit verifier runs in a browser',
      comment: 'this holds for types too',
      severity: 'error',
      from: { path: '^gateway/audit/verify/' },
      to: {
        pathNot:
          '^(gateway/(audit/verify|decide|model)/|directives/(policy|coordinates|lock|lock-table|view-rules)\\.ts$|node_modules/(canonicalize|@noble/[a-z-]+)/)',
      },
    },
    {
      name: 'oversight opens no value',
      comment: 'what answers auditors has no way to the values of fields, nor to the keys of tenants',
      severity: 'error',
      from: { path: '^gateway/oversight/' },
      to: { path: '^gateway/(disclosure|mutations|crypto)/' },
    },
    {
      name: 'DuckDB stays in oversight',
      comment: 'its library has 70 MB, and only one function has it',
      severity: 'error',
      from: { pathNot: '^(gateway/oversight/tables/|test/)' },
      to: { path: 'node_modules/@duckdb/' },
    },
    {
      name: 'only the check of changes compares schemas',
      comment: 'the package parses and walks whole schemas, which no request needs',
      severity: 'error',
      from: { pathNot: '^(gateway/operations/contracts/evolution\\.ts$|test/)' },
      to: { path: 'node_modules/@graphql-inspector/' },
    },
    {
      name: 'functions do not reach the comparison of schemas',
      severity: 'error',
      from: { path: '^functions/' },
      to: { path: '^gateway/operations/contracts/evolution\\.ts$', reachable: true },
    },
    {
      name: 'the AWS SDK stays in its rooms',
      severity: 'error',
      from: { pathNot: '^(gateway/(store|crypto|audit|oversight)/|gateway/compose\\.ts$|infra/local/|bench/|test/)' },
      to: { path: 'node_modules/@(aws-sdk|smithy)/' },
    },
    {
      name: 'the function brings listed packages only',
      comment: 'package.json has no packages of the function, because every bundle includes what it needs: this list names them',
      severity: 'error',
      from: { path: '^(gateway|directives|schema|resolvers|functions)/' },
      to: { path: 'node_modules/', pathNot: `node_modules/(${[...IN_FUNCTIONS, '@types/[a-z-]+'].join('|')})/` },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // the starter imports the package, which is built only for npm
    exclude: { path: '^infra/npm/starter/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
}
