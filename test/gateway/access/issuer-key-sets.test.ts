import { KMSClient } from '@aws-sdk/client-kms'
import type { CryptoKey } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { SealedKeySets } from '../../../gateway/access/issuer-key-sets.ts'
import { KmsSeal } from '../../../gateway/crypto/kms-seal.ts'
import { type KmsStandIn, startKms } from '../../../infra/local/kms.ts'
import type { KeySetName, StoredKeySet } from '../../../gateway/store/issuer-keys.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { AUDIENCE, ISSUER, startIssuer } from './issuer.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CLAIMS = { sub: 'user-1', aud: AUDIENCE, tenant: 'riverside', roles: ['PHYSICIAN'], amr: ['mfa'], sid: 'session-1' }
const KEY = 'alias/phi-test'

let issuer: Awaited<ReturnType<typeof startIssuer>>
let kms: KmsStandIn
let client: KMSClient
/** Milliseconds by which the clock is ahead of the machine's clock. */
let later = 0
let events: GatewayEvent[] = []
const stored = new Map<string, StoredKeySet>()
let isTableAway = false

const nameOf = ({ issuer, jwksUri }: KeySetName) => `${issuer} ${jwksUri}`
const table = {
  read: (name: KeySetName) => (isTableAway ? Promise.reject(new StoreUnavailable()) : Promise.resolve(stored.get(nameOf(name)))),
  write: (name: KeySetName, set: StoredKeySet) =>
    isTableAway ? Promise.reject(new StoreUnavailable()) : Promise.resolve(void stored.set(nameOf(name), set)),
}
const item = (): StoredKeySet => {
  const set = stored.get(`${ISSUER} ${issuer.jwksUri}`)
  if (set === undefined) throw new Error('nothing was kept')
  return set
}
const plant = (set: StoredKeySet): void => void stored.set(`${ISSUER} ${issuer.jwksUri}`, set)

/** A process without keys. */
function coldProcess({ jwksUri } = issuer) {
  const now = () => Date.now() + later
  const parts = { table, seal: new KmsSeal(client, KEY), now, events: (event: GatewayEvent) => void events.push(event) }
  const keeper = new SealedKeySets(parts, { issuer: ISSUER, jwksUri })
  const identity = tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri, keeper, now }, clinic.policy)
  return async (key: CryptoKey = issuer.privateKey, kid = 'one') => {
    const token = await issuer.sign(CLAIMS, { kid }, key)
    return await identity.callerOf({ authorization: `Bearer ${token}` }).then(
      ({ user }) => user as string,
      (error: unknown) => (error as { fault?: string }).fault,
    )
  }
}

beforeEach(async () => {
  issuer = await startIssuer('ES256')
  kms = await startKms({ aliases: [KEY, 'alias/somebody-else'] })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  client = new KMSClient({ endpoint: kms.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
  later = 0
  events = []
  stored.clear()
  isTableAway = false
})
afterEach(async () => {
  client.destroy()
  await Promise.all([issuer.stop(), kms.stop()])
})

describe('a process that starts while the issuer is unreachable', () => {
  it('verifies with the stored set of another process, for a day after the issuer served it', async () => {
    expect(await coldProcess()()).toBe('user-1')
    issuer.state.isAway = true
    for (const hours of [0, 12, 23.9]) {
      later = hours * HOUR
      expect(await coldProcess()()).toBe('user-1')
    }
    const cold = coldProcess()
    expect(await cold()).toBe('user-1')
    later = 24.1 * HOUR
    expect([await cold(), await coldProcess()()]).toEqual(['KEYS_UNAVAILABLE', 'KEYS_UNAVAILABLE'])
    issuer.state.isAway = false
    later += MINUTE
    expect(await cold()).toBe('user-1')
  })

  it('accepts no token if no set is stored, or if KMS or the table is unavailable too', async () => {
    issuer.state.isAway = true
    expect(await coldProcess()()).toBe('KEYS_UNAVAILABLE')
    issuer.state.isAway = false
    await coldProcess()()
    issuer.state.isAway = true
    kms.disable(KEY)
    expect(await coldProcess()()).toBe('KEYS_UNAVAILABLE')
    kms.setState(KEY, 'Enabled')
    isTableAway = true
    expect(await coldProcess()()).toBe('KEYS_UNAVAILABLE')
    expect(events.map((event) => ('what' in event ? event.what : event.event))).toEqual(['NOT_READ', 'NOT_READ'])
    isTableAway = false
    expect(await coldProcess()()).toBe('user-1')
  })

  it('still refuses unknown keys', async () => {
    await coldProcess()()
    issuer.state.isAway = true
    expect(await coldProcess()(issuer.privateKey, 'two')).toBe('UNKNOWN_KEY')
  })
})

describe('P6: a writer of the table cannot introduce a key', () => {
  it.each<[string, (planted: string) => Promise<StoredKeySet> | StoredKeySet]>([
    ['under the seal of the correct set', (text) => ({ ...item(), text })],
    ['under no seal', (text) => ({ ...item(), text, seal: Buffer.alloc(200, 7) })],
    [
      'under a seal by another KMS key',
      async (text) => {
        const parts = { table, seal: new KmsSeal(client, 'alias/somebody-else'), now: Date.now, events: () => undefined }
        await new SealedKeySets(parts, { issuer: ISSUER, jwksUri: issuer.jwksUri }).keep({ text, at: Date.now() }, undefined)
        return item()
      },
    ],
    [
      'of another issuer',
      async (text) => {
        const parts = { table, seal: new KmsSeal(client, KEY), now: Date.now, events: () => undefined }
        await new SealedKeySets(parts, { issuer: 'https://other.example', jwksUri: issuer.jwksUri }).keep(
          { text, at: Date.now() },
          undefined,
        )
        const other = stored.get(`https://other.example ${issuer.jwksUri}`)
        return other ?? item()
      },
    ],
    [
      'from another address',
      async (text) => {
        const parts = { table, seal: new KmsSeal(client, KEY), now: Date.now, events: () => undefined }
        await new SealedKeySets(parts, { issuer: ISSUER, jwksUri: 'https://other.example/jwks' }).keep(
          { text, at: Date.now() },
          undefined,
        )
        return stored.get(`${ISSUER} https://other.example/jwks`) ?? item()
      },
    ],
  ])('%s', async (_how, made) => {
    await coldProcess()()
    issuer.state.isAway = true
    const stranger = await issuer.made('one')
    plant(await made(JSON.stringify({ keys: [stranger.jwk] })))
    expect(await coldProcess()(stranger.privateKey)).toBe('KEYS_UNAVAILABLE')
    expect(events).toEqual([{ event: 'ISSUER_KEYS_FORGED' }])
  })

  it('or make a set younger than it is', async () => {
    await coldProcess()()
    issuer.state.isAway = true
    later = 25 * HOUR
    plant({ ...item(), at: Date.now() + later })
    expect(await coldProcess()()).toBe('KEYS_UNAVAILABLE')
    expect(events).toEqual([{ event: 'ISSUER_KEYS_FORGED' }])
  })

  it('or restore an older set for a process with a newer one', async () => {
    const warm = coldProcess()
    await warm()
    const before = item()
    const second = await issuer.made('one')
    issuer.state.keys = [second.jwk]
    later = 11 * MINUTE
    expect(await warm(second.privateKey)).toBe('user-1')
    issuer.state.isAway = true
    plant(before)
    later = 22 * MINUTE
    expect(await warm()).toBe('SIGNATURE')
    expect(await warm(second.privateKey)).toBe('user-1')
  })
})

describe('the stored set', () => {
  const seals = () => kms.calls('Encrypt')

  it('is written once in a quarter of an hour by all processes together, and at once after a change', async () => {
    const warm = coldProcess()
    await warm()
    await coldProcess()()
    later = 14 * MINUTE
    await warm()
    await coldProcess()()
    expect(seals()).toBe(1)
    later = 16 * MINUTE
    await coldProcess()()
    expect(seals()).toBe(2)
    issuer.state.keys.push((await issuer.made('two')).jwk)
    later = 17 * MINUTE
    await coldProcess()()
    expect(seals()).toBe(3)
    expect(kms.calls('Decrypt')).toBe(0)
  })

  it('P13: replaces the older set of a warm process, so that a key withdrawn before the outage stops', async () => {
    const warm = coldProcess()
    await warm()
    const second = await issuer.made('one')
    issuer.state.keys = [second.jwk]
    later = 5 * MINUTE
    await coldProcess()(second.privateKey)
    issuer.state.isAway = true
    later = 11 * MINUTE
    expect(await warm()).toBe('SIGNATURE')
    expect(await warm(second.privateKey)).toBe('user-1')
  })

  it('is not needed while the issuer answers: its answer counts even if table and KMS are unavailable', async () => {
    isTableAway = true
    expect(await coldProcess()()).toBe('user-1')
    isTableAway = false
    kms.disable(KEY)
    expect(await coldProcess()()).toBe('user-1')
    expect(events).toContainEqual({ event: 'ISSUER_KEYS', what: 'NOT_KEPT', cause: 'DisabledException' })
    expect(stored.size).toBe(0)
  })
})
