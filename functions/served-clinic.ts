import { sensitivities } from '../directives/sensitivities.ts'
import { codeLabels } from '../fhir/labels.ts'
import { clinicRecordRules } from '../fhir/record-rules.ts'
import type { ServedSchema } from '../gateway/compose.ts'
import { clinic } from '../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'

/** The clinic as a gateway serves it: schema, resolvers, and the rules of the values that clients write. */
export function servedClinic(): ServedSchema {
  const lock = clinicLock()
  return {
    ...clinic,
    typeDefs: clinicTypeDefs(),
    lock,
    recordRules: clinicRecordRules(() => codeLabels(sensitivities(lock))),
  }
}
