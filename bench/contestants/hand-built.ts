import type { Handler } from '../../infra/local/api-gateway.ts'
import { dataKey } from './data-key.ts'
import { nodeCryptoSealing } from './node-crypto.ts'
import { protectedClinic } from './protected.ts'
import { SEALED_TABLE } from './tables.ts'

/** The hand-built stack with `node:crypto`. */
export async function open(): Promise<Handler> {
  return await protectedClinic(SEALED_TABLE, nodeCryptoSealing(await dataKey(process.env)))
}
