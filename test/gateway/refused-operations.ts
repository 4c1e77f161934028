import { BY_ID, query, type RefusedRequest, VALUE } from './refused-request.ts'

/** Bad operations and variables. */
export const REFUSED_OPERATIONS: readonly RefusedRequest[] = [
  [
    'a syntax error',
    () => query('{ patients { '),
    'GRAPHQL_PARSE_FAILED',
    'Syntax Error: Expected Name, found <EOF>. The place is line 1, column 14.',
  ],
  [
    'a syntax error at a value',
    () => query(`{ patient("${VALUE}") }`),
    'GRAPHQL_PARSE_FAILED',
    'Syntax Error: Expected Name, found a token of the kind String. The place is line 1, column 11.',
  ],
  [
    'a misspelled field',
    () => query('{ patients { edges { node { familyNam } } } }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Cannot query field "familyNam" on type "Patient". Did you mean "familyName"? The place is line 1, column 29.',
  ],
  [
    'a misspelled root',
    () => query('{ patiens { edges { cursor } } }'),
    'GRAPHQL_VALIDATION_FAILED',
    /^Cannot query field "patiens" on type "Query"\. Did you mean "patient(?:s)?"/,
  ],
  [
    'a misspelled argument',
    () => query('{ patients(frst: 1) { edges { cursor } } }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Unknown argument "frst" on field "Query.patients". Did you mean "first"? The place is line 1, column 12.',
  ],
  [
    'a misspelled type',
    () => query('query ($id: Id) { patient(id: $id) { mrn } }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Unknown type "Id". Did you mean "ID"? The place is line 1, column 13.',
  ],
  [
    'a literal of another type',
    () => query(`{ patients(first: "${VALUE}") { edges { cursor } } }`),
    'GRAPHQL_VALIDATION_FAILED',
    'The argument `first` has a value of another type. Expected a value of the type `Int`. The place is line 1, column 19.',
  ],
  [
    'a missing argument',
    () => query('{ patient { mrn } }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Field "patient" argument "id" of type "ID!" is required, but it was not provided. The place is line 1, column 3.',
  ],
  [
    'a variable of another type',
    () => query('query ($n: String) { patients(first: $n) { edges { cursor } } }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Variable "$n" of type "String" used in position expecting type "Int". The place is line 1, column 8.',
  ],
  [
    'a date that does not exist',
    () => query('query ($id: ID!) { patient(id: $id) { observations(since: "2020-02-31") { edges { cursor } } } }', { id: VALUE }),
    'BAD_USER_INPUT',
    'The argument `since` has a text that is no date or time of the calendar. Write a date as `2026`, `2026-03` or `2026-03-15`, and a time as `2026-03-15T08:30:00Z`. The place is line 1, column 59.',
  ],
  [
    'a variable that is no date',
    () =>
      query('query ($id: ID!, $since: DateTime) { patient(id: $id) { observations(since: $since) { edges { cursor } } } }', {
        id: VALUE,
        since: VALUE,
      }),
    'BAD_USER_INPUT',
    'The variable `$since` has a text that is no date or time of the calendar. Write a date as `2026`, `2026-03` or `2026-03-15`, and a time as `2026-03-15T08:30:00Z`.',
  ],
  [
    'a missing variable',
    () => query(BY_ID),
    'BAD_USER_INPUT',
    'The variable `$id` of the type `ID!` is missing. Add it to `variables`.',
  ],
  [
    'a null variable',
    () => query(BY_ID, { id: null }),
    'BAD_USER_INPUT',
    'The variable `$id` of the type `ID!` is not valid: Expected non-nullable type "ID!" not to be null.',
  ],
  [
    'a variable with a value of another type',
    () => query('query ($n: Int) { patients(first: $n) { edges { cursor } } }', { n: VALUE }),
    'BAD_USER_INPUT',
    'The variable `$n` of the type `Int` is not valid: Expected a value of the type `Int`.',
  ],
  [
    'a null where none is allowed',
    () => query('query ($id: ID = "x") { patient(id: $id) { mrn } }', { id: null }),
    'BAD_USER_INPUT',
    'A variable is null where the schema allows no null. Leave the variable out, so that the default applies, or send a value.',
  ],
  [
    'a page that is too large',
    () => query('{ patients(first: 5000) { edges { cursor } } }'),
    'BAD_USER_INPUT',
    '`first` is 5000; the maximum is 100 and the minimum is 1. Continue with `after`.',
  ],
  [
    'a page of nothing',
    () => query('{ patients(first: 0) { edges { cursor } } }'),
    'BAD_USER_INPUT',
    '`first` is 0; the maximum is 100 and the minimum is 1. Continue with `after`.',
  ],
  [
    'a cursor of another list',
    () => query('query ($after: String) { patients(after: $after) { edges { cursor } } }', { after: VALUE }),
    'BAD_USER_INPUT',
    '`after` is no cursor of this list. Send `pageInfo.endCursor` of the previous page, with the same arguments and the same caller.',
  ],
  [
    'a search without a value',
    () => query('{ patientsByIdentifier { edges { cursor } } }'),
    'BAD_USER_INPUT',
    'No search index has exactly these arguments. docs/search.md lists the combinations that may be searched.',
  ],
  [
    'a document that is too deep',
    () => query(`{ ${'a { '.repeat(17)} b ${'}'.repeat(17)} }`),
    'OPERATION_TOO_COSTLY',
    'The document has 18 levels of nested fields; the maximum is 16. Divide it into several requests.',
  ],
  [
    'too many root fields',
    () => query(`{ ${'viewer { tenant } '.repeat(21)} }`),
    'OPERATION_TOO_COSTLY',
    'The document has 21 root fields in one operation; the maximum is 20. Divide it into several requests.',
  ],
  [
    'too many aliases',
    () => query(`{ viewer { ${Array.from({ length: 101 }, (_, n) => `a${n}: tenant`).join(' ')} } }`),
    'OPERATION_TOO_COSTLY',
    'The document has 101 aliases; the maximum is 100. Divide it into several requests.',
  ],
  [
    'too many brackets',
    () => query(`{ patients(after: ${'['.repeat(201)}${']'.repeat(201)}) { edges { cursor } } }`),
    'OPERATION_TOO_COSTLY',
    'The document has more than 200 brackets within each other. Use fewer lists and objects within each other.',
  ],
  [
    'too many values',
    () => query('{ patients(first: 100) { edges { node { observations(first: 100) { edges { node { id category } } } } } } }'),
    'OPERATION_TOO_COSTLY',
    /^The operation could return up to \d+ values; the maximum is 5000\. Select fewer fields, or request smaller pages with `first` and continue with `after`\. The setting is `operation` of `PHI_LIMITS`\.$/,
  ],
  [
    'too many values by a page that is too large',
    () => query('{ patients(first: 5000) { edges { node { observations(first: 100) { edges { node { id category } } } } } } }'),
    'OPERATION_TOO_COSTLY',
    /^`first` is 5000; the maximum is 100 and the minimum is 1\. Continue with `after`\. The field is `Query\.patients`\. The operation could return/,
  ],
  [
    'an unknown operation',
    () => query('query A { viewer { tenant } } query B { viewer { tenant } }', undefined, { operationName: VALUE }),
    'OPERATION_RESOLUTION_FAILURE',
    '`operationName` names no operation of the document. Set `operationName` to one of: `A`, `B`.',
  ],
  [
    'a missing operation name',
    () => query('query A { viewer { tenant } } query B { viewer { tenant } }'),
    'OPERATION_RESOLUTION_FAILURE',
    'The document has several operations, and `operationName` is missing. Set `operationName` to one of: `A`, `B`.',
  ],
  [
    'a document without an operation',
    () => query('fragment A on Patient { mrn }'),
    'GRAPHQL_VALIDATION_FAILED',
    'Fragment "A" is never used. The place is line 1, column 1.',
  ],
]
