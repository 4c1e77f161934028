import { breakGlassGrants } from '../../../gateway/access/break-glass.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { membershipRelationship } from '../../../gateway/access/memberships.ts'
import { organizationRelationship } from '../../../gateway/access/organization.ts'
import type { ConsentSource } from '../../../gateway/access/attribute-loader.ts'
import { lockDigest } from '../../../directives/compile.ts'
import { createGateway } from '../../../gateway/create-gateway.ts'
import { openStore } from '../../../gateway/admin/open-store.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { clinicResolvers } from '../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import { SealedSource } from '../../../gateway/store/sealed-source.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { RegistryParts } from '../../../gateway/mutations/operation-administration.ts'
import type { PatientId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Relationship, Sensitivity } from '../../../directives/policy.ts'
import type { NewRecord } from '../../../gateway/model/record.ts'
import { type ClinicAnswer, read, type RunningClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'

/** A gateway over the clinic's tables; the test supplies the consents. */
export interface Ward {
  ask(user: string, query: string, variables?: Record<string, unknown>, purpose?: string): Promise<ClinicAnswer>
  stop(): Promise<void>
}

/**
 * @param jwksUri the URL of the identity provider's keys; defaults to that of the stack
 * @param extension SDL of a deployment, which extends the schema of the clinic. Its errors have the details of the local stage.
 */
export async function openWard(
  clinic: Pick<RunningClinic, 'stack'>,
  services: RunningClinic['services'],
  consents: ConsentSource,
  jwksUri = clinic.stack.env.PHI_JWKS_URI,
  operationRegistry?: RegistryParts,
  extension?: string,
): Promise<Ward> {
  const { access: table, breakGlass, keyring, events, records, audit, process, now } = services
  const { PHI_ISSUER: issuer, PHI_AUDIENCE: audience } = clinic.stack.env
  const membership = (kind: 'CARE_TEAM' | 'SELF' | 'PROXY') =>
    [kind as string as Relationship, membershipRelationship(kind, { table, keyring, events })] as const
  const gateway = await createGateway({
    typeDefs: [...clinicTypeDefs(), ...(extension === undefined ? [] : [{ name: 'extension.graphql', sdl: extension }])],
    detailedErrors: extension !== undefined,
    resolvers: clinicResolvers,
    lock: clinicLock(),
    relationships: new Map([
      membership('CARE_TEAM'),
      membership('SELF'),
      membership('PROXY'),
      ['ORGANIZATION' as Relationship, organizationRelationship(records)],
    ]),
    breakGlass: breakGlassGrants({
      table: breakGlass,
      keyring,
      events,
      now,
      maxMinutes: 240,
      exists: async (tenant, patient, { signal }) => (await records.indexRoot(tenant, patient, signal)) !== undefined,
    }),
    consents,
    sources: new Map([['dynamodb', new SealedSource(records, keyring)]]),
    identity: (policy) => tokenIdentity({ issuer, audience, jwksUri }, policy),
    // tests advance the clock, but the times of the sign-ins stay
    stepUpSeconds: 31_536_000,
    keys: keyring,
    ...(operationRegistry && { operationRegistry }),
    audit: { log: audit, process },
    events,
    now,
  })
  const tokens = new Map<string, Promise<string>>()
  return {
    ask: async (user, query, variables, purpose = 'BTG') => {
      const token = tokens.get(user) ?? fetchToken(clinic.stack, user)
      tokens.set(user, token)
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${await token}`, 'x-purpose-of-use': purpose }
      const body = JSON.stringify({ query, variables })
      return read(await gateway.handle({ method: 'POST', headers, body, sourceIp: '127.0.0.1' }))
    },
    stop: () => gateway.stop(),
  }
}

/**
 * Stores a patient without a care team, with one condition for each list of labels. The code text of a condition is its labels,
 * such as `PSY ETH`.
 *
 * @returns the patient's node id
 */
export async function admit(
  { stack }: Pick<RunningClinic, 'stack'>,
  name: string,
  labels: readonly (readonly string[])[],
): Promise<string> {
  const store = await openStore(RIVERSIDE, lockDigest(clinicLock()), stack.env)
  try {
    const id = store.idFor('Patient', name)
    const patient = id as string as PatientId
    const self = { type: 'Patient' as TypeName, patient, id }
    const record = (
      ref: NewRecord['ref'],
      path: string,
      value: NewRecord['values'] extends ReadonlyMap<SchemaPath, infer V> ? V : never,
      of: readonly string[],
    ): NewRecord => ({
      ref,
      values: new Map([[path as SchemaPath, value]]),
      metadata: { open: {}, references: {}, date: '2026-01-01T00:00:00.000Z', labels: of as readonly Sensitivity[] },
    })
    const conditions = labels.map((of) => {
      const ref = { type: 'Condition' as TypeName, patient, id: store.idFor('Condition', `${name} ${of.join(' ')}`) }
      return record(ref, 'Condition.code', { coding: [], text: of.join(' ') }, of)
    })
    await store.write({ patient, records: [record(self, 'Patient.familyName', name, []), ...conditions], memberships: [] })
    return encodeNodeId(self)
  } finally {
    await store.close()
  }
}

export const BREAK = `mutation ($id: ID!, $minutes: Int) {
  breakGlass(patientId: $id, reason: "found unconscious", minutes: $minutes) { id until }
}`
export const END = 'mutation ($id: ID!) { endBreakGlass(id: $id) { endedAt } }'
export const CHART =
  'query ($id: ID!) { patient(id: $id) { familyName conditions(first: 50) { edges { node { code { text } } } } } }'
