import { expect, it } from 'vitest'
import { type Draft, entryOf, withLinks } from '../../gateway/answer.ts'
import { fixedText } from '../../gateway/model/failure-messages.ts'

const draft: Draft = {
  kind: 'ANSWER',
  withReceipt: (receipt, links = []) => JSON.stringify({ receipt, ...(links.length > 0 && { links }) }),
}
const LINKS = [{ patient: 'a'.repeat(50), replacedBy: 'b'.repeat(50) }]
const bytesOf = (one: Draft): number => (one.kind === 'ANSWER' ? Buffer.byteLength(one.withReceipt('-'.repeat(43))) : 0)

it('an answer with links leaves only if it is within the limit together with them', () => {
  const full = withLinks(draft, LINKS, 10_000, fixedText)
  expect(bytesOf(full)).toBeGreaterThan(bytesOf(draft) + 100)
  expect(withLinks(draft, LINKS, bytesOf(full), fixedText)).toEqual({
    kind: 'FAILURE',
    error: entryOf('OPERATION_TOO_COSTLY', fixedText),
  })
})

it('an answer without links is the same as before, and a refusal gets none', () => {
  expect(withLinks(draft, [], 0, fixedText)).toBe(draft)
  const refused: Draft = { kind: 'FAILURE', error: entryOf('PHI_BUDGET_EXCEEDED', fixedText) }
  expect(withLinks(refused, LINKS, 10_000, fixedText)).toBe(refused)
})
