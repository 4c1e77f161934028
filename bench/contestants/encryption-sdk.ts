import type { Handler } from '../../infra/local/api-gateway.ts'
import { dataKey } from './data-key.ts'
import { encryptionSdkSealing } from './encryption-sdk-sealing.ts'
import { protectedClinic } from './protected.ts'
import { ENCRYPTION_SDK_TABLE } from './tables.ts'

/** The hand-built stack with the AWS Encryption SDK. */
export async function open(): Promise<Handler> {
  return await protectedClinic(ENCRYPTION_SDK_TABLE, encryptionSdkSealing(await dataKey(process.env)))
}
