import { expect, it } from 'vitest'
import { type Draft, withLinks } from '../../gateway/answer.ts'

const draft: Draft = {
  kind: 'ANSWER',
  withReceipt: (receipt, links = []) => JSON.stringify({ receipt, ...(links.length > 0 && { links }) }),
}
const LINKS = [{ patient: 'a'.repeat(50), replacedBy: 'b'.repeat(50) }]
const bytesOf = (one: Draft): number => (one.kind === 'ANSWER' ? Buffer.byteLength(one.withReceipt('-'.repeat(43))) : 0)

it('an answer with links leaves only if it is within the limit together with them', () => {
  const full = withLinks(draft, LINKS, 10_000)
  expect(bytesOf(full)).toBeGreaterThan(bytesOf(draft) + 100)
  expect(withLinks(draft, LINKS, bytesOf(full))).toEqual({ kind: 'FAILURE', code: 'OPERATION_TOO_COSTLY' })
})

it('an answer without links is the same as before, and a refusal gets none', () => {
  expect(withLinks(draft, [], 0)).toBe(draft)
  const refused: Draft = { kind: 'FAILURE', code: 'PHI_BUDGET_EXCEEDED' }
  expect(withLinks(refused, LINKS, 10_000)).toBe(refused)
})
