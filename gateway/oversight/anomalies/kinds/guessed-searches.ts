import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { countedDays } from './counted-days.ts'

/** Many searches without a hit, or searches that the limit of the hour refused: somebody guesses values. */
export const guessedSearches: KindOfAnomaly = {
  kind: 'GUESSED_SEARCHES',
  find: (aggregates, settings) => {
    const { refused: mostRefused } = settings.guessedSearches
    const measured = countedDays(aggregates, aggregates.searches, ({ misses }) => misses, settings.guessedSearches, settings)
    return aggregates.searches.flatMap((row): Finding[] => {
      if (row.day < aggregates.span.firstDay) return []
      const { user_id: user, day, searches, misses, refused, first_at: from, last_at: to } = row
      const guessed = measured(row)
      const measure = Math.max(guessed.measure, refused / mostRefused)
      if (!isFinding(measure)) return []
      return [
        {
          kind: 'GUESSED_SEARCHES',
          score: scoreOf(measure),
          user,
          from,
          to,
          explanation: `${user} searched ${counted(misses, 'time')} without a hit on ${day}, and ${counted(refused, 'time')} beyond the limit of the hour; the median of own days is ${shown(guessed.ownMedian)} without a hit.`,
          evidence: { searches, misses, refused, ...guessed.evidence },
          patients: [],
          filter: { user, from, to, action: 'SEARCH' },
        },
      ]
    })
  },
}
