import type { KindOfAnomaly } from '../finding.ts'
import { relatedPatients } from './related-patients.ts'

/** Reads of a patient with the user's address or telephone number, without a reason of the work. */
export const family: KindOfAnomaly = {
  kind: 'FAMILY',
  find: (aggregates, settings) =>
    relatedPatients('FAMILY', aggregates, settings, settings.related.family, (relation) => {
      if (relation?.kind !== 'FAMILY') return undefined
      const { shared } = relation
      const name = shared.has('FAMILY_NAME') ? ' and family name' : ''
      const named = `a patient with the same ${shared.has('ADDRESS') ? 'address' : 'telephone number'}${name}`
      return { named, sharedTraits: shared.size }
    }),
}
