import type { KindOfAnomaly } from '../finding.ts'
import { relatedPatients } from './related-patients.ts'

/** Reads of a patient of the workforce, without a reason of the work. */
export const coWorker: KindOfAnomaly = {
  kind: 'CO_WORKER',
  find: (aggregates, settings) =>
    relatedPatients('CO_WORKER', aggregates, settings, settings.related.coWorker, (relation, patient) => {
      const isCloser = relation?.kind === 'SELF' || relation?.kind === 'FAMILY'
      if (isCloser || !aggregates.related.workers.has(patient)) return undefined
      return { named: 'a colleague', sharedTraits: relation?.shared.size ?? 0 }
    }),
}
