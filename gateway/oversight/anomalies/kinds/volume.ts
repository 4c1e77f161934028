import { counted } from '../../../model/counted.ts'
import { type KindOfAnomaly, shown } from '../finding.ts'
import { dayPeaks } from './day-peaks.ts'

/** A day with far more field-level records than the user's own days and the peers'. */
export const volume: KindOfAnomaly = {
  kind: 'VOLUME',
  find: (aggregates, settings) =>
    dayPeaks('VOLUME', aggregates, settings, {
      valueOf: ({ records }) => records,
      thresholds: settings.volume,
      sentence: ({ user_id, day, records }, { own, peers }) =>
        `${user_id} read ${counted(records, 'value')} on ${day}; the median is ${shown(own.median)} on own days and ${shown(peers.median)} in the role.`,
    }),
}
