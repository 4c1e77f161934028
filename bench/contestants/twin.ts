import type { Handler } from '../../infra/local/api-gateway.ts'
import { apolloHandler } from './apollo.ts'
import { dynamoClient } from './client.ts'
import { claimsOf, clinicSchema } from './clinic.ts'
import { plainSdl } from './plain-sdl.ts'
import { fromPlain } from './rows.ts'
import { PLAIN_TABLE } from './tables.ts'

/** The unprotected twin: Apollo over plain items. It reads the caller from the token without a check of the signature. */
export async function open(): Promise<Handler> {
  const schema = clinicSchema({
    sdl: await plainSdl(),
    client: dynamoClient(),
    table: PLAIN_TABLE,
    read: (row, name) => fromPlain(row[name]),
    admits: () => true,
  })
  return await apolloHandler({ schema, context: (authorization) => Promise.resolve({ caller: claimsOf(authorization) }) })
}
