import type { KindOfAnomaly } from '../finding.ts'
import { relatedPatients } from './related-patients.ts'

/** Reads of a patient in the user's street, without a reason of the work. */
export const neighbor: KindOfAnomaly = {
  kind: 'NEIGHBOR',
  find: (aggregates, settings) =>
    relatedPatients('NEIGHBOR', aggregates, settings, settings.related.neighbor, (relation, patient) =>
      relation?.kind !== 'NEIGHBOR' || aggregates.related.workers.has(patient)
        ? undefined
        : { named: 'a patient in the same street', sharedTraits: relation.shared.size },
    ),
}
