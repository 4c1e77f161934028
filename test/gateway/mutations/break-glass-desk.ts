import { breakGlassGrants } from '../../../gateway/access/break-glass.ts'
import { createGateway } from '../../../gateway/create-gateway.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import type { Instant, UserId } from '../../../gateway/model/ids.ts'
import type { Role } from '../../../directives/policy.ts'
import { clinicResolvers } from '../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import { SealedSource } from '../../../gateway/store/sealed-source.ts'
import { type ClinicAnswer, read, type RunningClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'
import { RELATIONSHIPS } from '../decide/clinic-policy.ts'

/** A gateway over the break-glass table of the clinic, for any number of users. Each made-up patient exists. */
export interface Desk {
  ask(user: string, query: string, variables?: Record<string, unknown>): Promise<ClinicAnswer>
  stop(): Promise<void>
}

/** Users whose names begin with `privacy` are privacy officers, all others are physicians. */
export async function openDesk({
  breakGlass: table,
  keyring,
  events,
  records,
  audit,
  process,
  now,
}: RunningClinic['services']): Promise<Desk> {
  const never = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
  const callerOf = (user: string): Caller => {
    const isOfficer = user.startsWith('privacy')
    const purpose = isOfficer ? 'HOPERAT' : 'BTG'
    const roles = new Set([isOfficer ? 'PRIVACY_OFFICER' : 'PHYSICIAN'] as Role[])
    return {
      tenant: RIVERSIDE,
      user: user as UserId,
      roles,
      purpose,
      mayClaim: [purpose],
      seesExistence: true,
      mfa: true,
      authTime: now() as Instant,
    }
  }
  const gateway = await createGateway({
    typeDefs: clinicTypeDefs(),
    resolvers: clinicResolvers,
    lock: clinicLock(),
    relationships: new Map(RELATIONSHIPS.map((name) => [name, never])),
    breakGlass: breakGlassGrants({ table, keyring, exists: () => Promise.resolve(true), events, now, maxMinutes: 240 }),
    sources: new Map([['dynamodb', new SealedSource(records, keyring)]]),
    identity: () => ({ callerOf: (headers) => Promise.resolve(callerOf(headers['x-user'] ?? '')) }),
    keys: keyring,
    audit: { log: audit, process },
    events,
    now,
  })
  return {
    ask: async (user, query, variables) => {
      const headers = { 'content-type': 'application/json', 'x-user': user }
      const body = JSON.stringify({ query, variables })
      return read(await gateway.handle({ method: 'POST', headers, body, sourceIp: '127.0.0.1' }))
    },
    stop: () => gateway.stop(),
  }
}

export const BREAK_FOR = `mutation ($id: ID!, $reason: String!, $minutes: Int) {
  breakGlass(patientId: $id, reason: $reason, minutes: $minutes) { id since until endedAt renewalCount renewals { at } }
}`
