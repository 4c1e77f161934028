import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KillSwitch } from '../../../hostile/kill-switch.ts'
import type { NotaryServices } from './notary-bench.ts'

/** Ends a notary at one of its calls to table, objects or keys. */
export class NotaryKill extends KillSwitch {
  over({ client, objects, signers }: NotaryServices): NotaryServices {
    const send = (async (command: Parameters<DynamoDBClient['send']>[0]) =>
      await this.call(async () => await client.send(command as never))) as never
    return {
      client: { send },
      objects: {
        put: async (...args) => await this.call(() => objects.put(...args)),
        get: async (name) => await this.call(() => objects.get(name)),
        list: (...args) => objects.list(...args),
      },
      signers: signers.map((signer) => ({
        algorithm: signer.algorithm,
        publicKey: async () => await this.call(() => signer.publicKey()),
        sign: async (message) => await this.call(() => signer.sign(message)),
      })),
    }
  }
}
