import type { Handler } from '../../infra/local/api-gateway.ts'
import type { Json } from '../../gateway/index.ts'
import { withRules } from './access-rules.ts'
import { apolloHandler } from './apollo.ts'
import { AuditWrites } from './audit-writes.ts'
import { dynamoClient } from './client.ts'
import { type ClinicContext, clinicSchema, isOnTeam } from './clinic.ts'
import { plainSdl } from './plain-sdl.ts'
import { tokenVerifier } from './token-verifier.ts'

interface AuditedContext extends ClinicContext {
  readonly audit: AuditWrites
}

/** The encryption of one contestant. `place` names the attribute of an item. */
export interface Sealing {
  seal(value: Json, tenant: string, place: string): Promise<Uint8Array>
  open(sealed: Uint8Array, tenant: string, place: string): Json | Promise<Json>
}

export const placeOf = (pk: string, sk: string, name: string): string => `${pk}|${sk}|${name}`

/**
 * The stack that a team builds by hand: verified tokens, the care team, a rule for each leaf, an encrypted attribute for each
 * value, and an audit item for each value. It has no chain of audit records, no consents, no sessions and no limits.
 */
export async function protectedClinic(table: string, sealing: Sealing): Promise<Handler> {
  const verify = await tokenVerifier(process.env)
  const client = dynamoClient()
  const schema = clinicSchema<AuditedContext>({
    sdl: await plainSdl(),
    client,
    table,
    read: (row, name, path, { caller, audit }) => {
      const sealed = row[name]?.B
      if (sealed === undefined) return null
      audit.disclosed(row, path)
      return sealing.open(sealed, caller.tenant, placeOf(row['pk']?.S ?? '', row['sk']?.S ?? '', name))
    },
    admits: isOnTeam,
  })
  return await apolloHandler<AuditedContext>({
    schema: withRules(schema),
    context: async (authorization) => {
      const caller = await verify(authorization)
      return { caller, audit: new AuditWrites(client, caller) }
    },
    beforeResponse: ({ audit }) => audit.write(),
  })
}
