import { counted } from '../../../model/counted.ts'
import { type KindOfAnomaly, shown } from '../finding.ts'
import { dayPeaks } from './day-peaks.ts'

/** A day with far more patients than the user's own days and the peers'. */
export const manyPatients: KindOfAnomaly = {
  kind: 'MANY_PATIENTS',
  find: (aggregates, settings) =>
    dayPeaks('MANY_PATIENTS', aggregates, settings, {
      valueOf: ({ patients }) => patients,
      thresholds: settings.manyPatients,
      sentence: ({ user_id, day, patients }, { own, peers }) =>
        `${user_id} read ${counted(patients, 'patient')} on ${day}; the median is ${shown(own.median)} on own days and ${shown(peers.median)} in the role.`,
    }),
}
