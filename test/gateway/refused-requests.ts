import { BY_ID, query, type RefusedRequest, VALUE } from './refused-request.ts'

const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url')
const claims = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const NEW_TOKEN = 'Get a new token with `npm run --silent phi -- token USER`.'
/** Bad headers, bodies and tokens. */
export const REFUSED_REQUESTS: readonly RefusedRequest[] = [
  [
    'no content type',
    () => ({ ...query('{ viewer { tenant } }'), headers: { 'content-type': undefined } }),
    'BAD_REQUEST',
    'The header `content-type` is missing. Send `content-type: application/json`.',
  ],
  [
    'another content type',
    () => ({ ...query('{ viewer { tenant } }'), headers: { 'content-type': `text/${VALUE}` } }),
    'BAD_REQUEST',
    'The header `content-type` is not JSON in UTF-8. Send `content-type: application/json`. Forms and plain text are refused, because a page of another site can send them.',
  ],
  [
    'a compressed body',
    () => ({ ...query('{ viewer { tenant } }'), headers: { 'content-encoding': 'gzip' } }),
    'BAD_REQUEST',
    'The header `content-encoding` is not supported for this body. Send JSON in UTF-8, uncompressed, without this header.',
  ],
  [
    'no type that the client accepts',
    () => ({ ...query('{ viewer { tenant } }'), headers: { accept: `text/${VALUE}` } }),
    'BAD_REQUEST',
    'The header `accept` excludes every type of the answer. Send one of: application/json, application/graphql-response+json.',
  ],
  ['a body that is empty', () => ({ body: '' }), 'BAD_REQUEST', 'The body is empty. Send a JSON object with the member `query`.'],
  [
    'a body that is not JSON',
    () => ({ body: `{"query": "{ viewer }", ${VALUE}` }),
    'BAD_REQUEST',
    /^The body is not JSON\. The first fault is at character 25 of \d+\.$/,
  ],
  ['a body that ends early', () => ({ body: `{"query": "${VALUE}` }), 'BAD_REQUEST', /^The body is not JSON\./],
  [
    'a batch',
    () => ({ body: [{ query: '{ viewer { tenant } }' }] }),
    'BAD_REQUEST',
    'The body is a batch. Send one operation in a request.',
  ],
  [
    'a body that is a text',
    () => ({ body: JSON.stringify(VALUE) }),
    'BAD_REQUEST',
    'The body is no JSON object. Send an object with the member `query`.',
  ],
  [
    'no query',
    () => ({ body: { [`x`]: VALUE } }),
    'BAD_REQUEST',
    'The request has neither `query` nor an id. Send the text of an operation as `query`, or the id of a registered operation as `documentId`.',
  ],
  [
    'variables that are a list',
    () => ({ body: { query: BY_ID, variables: [VALUE] } }),
    'BAD_REQUEST',
    '`variables` must be a JSON object with the names of variables as its members.',
  ],
  [
    'a malformed id of an operation',
    () => ({ body: { documentId: `${VALUE} ` } }),
    'BAD_REQUEST',
    '`documentId` must be an id: 1 to 256 letters, digits and the characters _.~:+/=-.',
  ],
  [
    'two ids of operations',
    () => ({ body: { documentId: VALUE, id: VALUE } }),
    'BAD_REQUEST',
    'The request has several ids: `documentId`, `id`. Send one.',
  ],
  [
    'an unknown id of an operation',
    () => ({ body: { documentId: VALUE } }),
    'PERSISTED_DOCUMENT_NOT_FOUND',
    /^No operation with this id or text is registered for the client of the token, or the contract of the client does not admit it\. List the operations with `npm run --silent phi -- operations list --tenant TENANT --client CLIENT`\.$/,
  ],
  [
    'a body that is too long',
    () => query('{ viewer { tenant } }', { a: VALUE.repeat(20_000) }),
    'BAD_REQUEST',
    /^The body has 360\d{3} characters; the maximum is 262144\. Send large values in requests of their own\.$/,
  ],
  [
    'a GET with a text',
    () => ({ method: 'GET', queryString: 'query=%7Bviewer%7Btenant%7D%7D' }),
    'BAD_REQUEST',
    'Send the text of an operation by POST, as JSON. GET runs a registered operation only: its URL has the parameter `documentId` and no `query`.',
  ],
  [
    'a GET from a link',
    () => ({ method: 'GET', queryString: 'documentId=abc' }),
    'BAD_REQUEST',
    'A GET needs the header `accept: application/graphql-response+json`. Without it, a link could run an operation.',
  ],
  ['another method', () => ({ method: 'PUT' }), 'BAD_REQUEST', /^Send the text of an operation by POST, as JSON\./],
  [
    'a purpose that the caller may not claim',
    () => ({ ...query('{ viewer { tenant } }'), headers: { 'x-purpose-of-use': VALUE } }),
    'BAD_REQUEST',
    /^The header `x-purpose-of-use` has a code that this caller may not claim\. The caller may claim: TREAT, ETREAT(?:, \w+)*\. Send one of them, or leave the header out\.$/,
  ],
  [
    'no token',
    () => ({ ...query('{ viewer { tenant } }'), headers: { authorization: undefined } }),
    'UNAUTHENTICATED',
    'The header `authorization` is missing. Send `authorization: Bearer TOKEN`. `npm run --silent phi -- token USER` prints a token of a demo user.',
  ],
  [
    'a token that is none',
    () => ({ ...query('{ viewer { tenant } }'), headers: { authorization: `Bearer ${VALUE}` } }),
    'UNAUTHENTICATED',
    /^The header `authorization` has no well-formed token\./,
  ],
  [
    'a token of another issuer',
    (token) => ({
      ...query('{ viewer { tenant } }'),
      headers: { authorization: `Bearer ${part({ alg: 'RS256', kid: 'k' })}.${part({ ...claims(token), iss: VALUE })}.c2ln` },
    }),
    'UNAUTHENTICATED',
    `The claim \`iss\` of the token is not \`PHI_ISSUER\`. If the stack was restarted on another port, its issuer is another one. ${NEW_TOKEN}`,
  ],
  [
    'a token with an unknown key',
    (token) => ({
      ...query('{ viewer { tenant } }'),
      headers: { authorization: `Bearer ${part({ alg: 'RS256', kid: 'other' })}.${part(claims(token))}.c2ln` },
    }),
    'UNAUTHENTICATED',
    `The \`kid\` of the token is not in the key set of the issuer. If the stack was restarted, its keys are new. ${NEW_TOKEN}`,
  ],
  [
    'a token with an altered claim',
    (token) => ({
      ...query('{ viewer { tenant } }'),
      headers: {
        authorization: `Bearer ${token.split('.')[0] ?? ''}.${part({ ...claims(token), sub: VALUE })}.${token.split('.')[2] ?? ''}`,
      },
    }),
    'UNAUTHENTICATED',
    `The signature of the token is not valid. Send the token unchanged. If the stack was restarted, its keys are new. ${NEW_TOKEN}`,
  ],
]
