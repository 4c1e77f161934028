import { addressText } from './access-address.ts'
import type { AccessEvidence } from './access-evidence.ts'
import type { RecordedAccess } from './recorded-access.ts'

/**
 * A record as the type `FieldAccess` of the schema. Other members have the same name in both. graphql calls the members that are
 * functions only if the query selects them.
 */
export function fieldAccessOf(access: RecordedAccess, evidence: AccessEvidence): object {
  const { time, user, client, session, authTime, patient, ...same } = access
  const line = evidence.ruleLine(access)
  return {
    ...same,
    id: addressText(access),
    at: time,
    userId: user,
    clientId: client,
    sessionId: session,
    signedInAt: authTime,
    patientId: patient,
    patientNode: evidence.patientNode(access),
    ruleLine: 'text' in line ? line.text : null,
    ruleLineAbsence: 'absence' in line ? line.absence : null,
    sealed: async () => (await evidence.proof(access)) !== undefined,
    proof: async () => (await evidence.proof(access)) ?? null,
  }
}
