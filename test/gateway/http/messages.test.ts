import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerType, refusedByType } from '../../../gateway/http/messages.ts'
import { entryOf, refusal } from '../../../gateway/answer.ts'
import { fixedText } from '../../../gateway/model/failure-messages.ts'
import type { RequestId } from '../../../gateway/model/ids.ts'

const JSON_TYPE = 'application/json'
const GRAPHQL = 'application/graphql-response+json'

describe('the media type of an answer', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/*', JSON_TYPE],
    [JSON_TYPE, JSON_TYPE],
    [GRAPHQL, GRAPHQL],
    ['Application/GraphQL-Response+JSON; Charset=UTF-8', GRAPHQL],
    [`${GRAPHQL};charset="utf-8"`, GRAPHQL],
    // with equal quality, a named type goes before a range, and the first one before the second
    [`${GRAPHQL}, ${JSON_TYPE}`, GRAPHQL],
    [`${JSON_TYPE}, ${GRAPHQL}`, JSON_TYPE],
    [`*/*, ${GRAPHQL}`, GRAPHQL],
    [`${GRAPHQL}, application/graphql+json, ${JSON_TYPE}, text/event-stream, multipart/mixed`, GRAPHQL],
    // the quality goes before the position
    [`${JSON_TYPE};q=0.8, ${GRAPHQL};q=0.9`, GRAPHQL],
    [`${GRAPHQL};q=0.1, */*;q=0.2`, JSON_TYPE],
    // the most specific range decides for its type
    [`${JSON_TYPE};q=0, */*`, GRAPHQL],
    [`${JSON_TYPE};q=0, application/*;q=0.5`, GRAPHQL],
    ['application/*;q=0, */*', undefined],
    ['text/html', undefined],
    ['text/html, image/*', undefined],
    [`${JSON_TYPE};q=0`, undefined],
    [`${JSON_TYPE};charset=utf-16`, undefined],
    // an invalid quality excludes the type
    [`${JSON_TYPE};q=2`, undefined],
    [`${JSON_TYPE};q=high`, undefined],
    [`${JSON_TYPE};q=`, undefined],
    ['json', undefined],
    [',;q=1,', undefined],
  ])('%s is %s', (accept, type) => {
    expect(answerType(accept === undefined ? {} : { accept })).toBe(type)
  })

  it('for any Accept header, the type is one of two or none', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('aj/*+;,=q. 01"'), JSON_TYPE, GRAPHQL) }), (accept) => {
        expect([JSON_TYPE, GRAPHQL, undefined]).toContain(answerType({ accept }))
      }),
      { numRuns: 300 },
    )
  })
})

describe('the media type of a body', () => {
  it.each<[boolean, string | undefined, string | undefined]>([
    [true, JSON_TYPE, undefined],
    [true, 'application/json;charset=UTF-8', 'identity'],
    [false, undefined, undefined],
    [false, '', undefined],
    [false, 'text/plain', undefined],
    [false, 'application/x-www-form-urlencoded', undefined],
    [false, 'application/json, text/plain', undefined],
    [false, 'text/plain;application/json', undefined],
    [false, 'application/jsonx', undefined],
    [false, 'application/json;charset=latin1', undefined],
    [false, JSON_TYPE, 'gzip'],
  ])('%s: %s, %s', (taken, type, encoding) => {
    expect(refusedByType({ 'content-type': type, 'content-encoding': encoding })).toBe(taken ? undefined : 415)
    expect(refusedByType({ 'content-type': type, 'content-encoding': encoding, accept: 'text/html' })).toBe(406)
  })

  it.each<[boolean, string | undefined]>([
    [true, GRAPHQL],
    [true, `${GRAPHQL}, ${JSON_TYPE};q=0.9`],
    [false, JSON_TYPE],
    [false, `${JSON_TYPE}, ${GRAPHQL};q=0.9`],
    [false, '*/*'],
    [false, 'text/html,application/xhtml+xml,*/*;q=0.8'],
    [false, undefined],
  ])('%s: a GET that accepts %s, without a body', (taken, accept) => {
    expect(refusedByType({ accept }, 'GET')).toBe(taken ? undefined : 406)
  })
})

describe('a refusal', () => {
  const request = (accept?: string) => ({ method: 'POST', headers: { accept }, body: '' })
  it('has the type that the client accepts, is not cached, and names the required authentication or method', () => {
    const id = 'r' as RequestId
    expect(refusal(id, request(GRAPHQL), entryOf('UNAUTHENTICATED', fixedText))).toEqual({
      status: 401,
      headers: { 'content-type': `${GRAPHQL}; charset=utf-8`, 'cache-control': 'no-store', 'www-authenticate': 'Bearer' },
      body: `${JSON.stringify({
        errors: [{ message: 'Authentication is required.', extensions: { code: 'UNAUTHENTICATED' } }],
        extensions: { phi: { requestId: 'r' } },
      })}\n`,
    })
    const not = refusal(id, request('text/html'), entryOf('BAD_REQUEST', fixedText), 405)
    expect([not.status, not.headers['allow'], not.headers['content-type']]).toEqual([405, 'POST', `${JSON_TYPE}; charset=utf-8`])
    expect(not.headers).not.toHaveProperty('www-authenticate')
  })
})
