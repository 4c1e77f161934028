import type { Outcome } from './plan.ts'

/** A symbol and a word, so that no outcome shows by color alone. */
export const OUTCOMES: Readonly<Record<Outcome, { readonly symbol: string; readonly word: string }>> = {
  GRANTED: { symbol: '✓', word: 'granted' },
  MASKED: { symbol: '◐', word: 'masked' },
  DENIED: { symbol: '✕', word: 'denied' },
  DEPENDS: { symbol: '?', word: 'depends' },
}

export function OutcomeBadge({ outcome, count }: { readonly outcome: Outcome; readonly count?: number }) {
  const { symbol, word } = OUTCOMES[outcome]
  return (
    <span className={`badge ${word}`}>
      <span aria-hidden="true">{symbol}</span> {count === undefined ? word : `${count} ${word}`}
    </span>
  )
}
