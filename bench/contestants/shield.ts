import type { Handler } from '../../infra/local/api-gateway.ts'
import { withRules } from './access-rules.ts'
import { apolloHandler } from './apollo.ts'
import { dynamoClient } from './client.ts'
import { clinicSchema, isOnTeam } from './clinic.ts'
import { plainSdl } from './plain-sdl.ts'
import { fromPlain } from './rows.ts'
import { PLAIN_TABLE } from './tables.ts'
import { tokenVerifier } from './token-verifier.ts'

/** Apollo with graphql-shield over plain items: verified tokens, the care team, and a rule for each leaf. No encryption, no audit. */
export async function open(): Promise<Handler> {
  const verify = await tokenVerifier(process.env)
  const schema = clinicSchema({
    sdl: await plainSdl(),
    client: dynamoClient(),
    table: PLAIN_TABLE,
    read: (row, name) => fromPlain(row[name]),
    admits: isOnTeam,
  })
  return await apolloHandler({
    schema: withRules(schema),
    context: async (authorization) => ({ caller: await verify(authorization) }),
  })
}
