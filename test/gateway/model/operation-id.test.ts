import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { OPERATION_ID_FORM, operationId } from '../../../gateway/model/operation-id.ts'

describe('the id of an operation', () => {
  it('has the form that its messages and docs/persisted-operations.md state', () => {
    const [, most = ''] = /^1 to (\d+) letters, digits and the characters/.exec(OPERATION_ID_FORM) ?? []
    const longest = 'a'.repeat(Number(most))
    expect([operationId('a'), operationId(longest), operationId(`${longest}a`), operationId('')]).toEqual([
      'a',
      longest,
      undefined,
      undefined,
    ])
    for (const character of '_.~:+/=-') {
      expect(OPERATION_ID_FORM).toContain(character)
      expect(operationId(character)).toBe(character)
    }
    const plain = readFileSync('docs/persisted-operations.md', 'utf8').replaceAll('`', '')
    expect(plain).toContain(`An id has ${OPERATION_ID_FORM}.`)
  })
})
