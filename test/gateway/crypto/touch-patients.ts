import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { KeyTable, PatientKeyItem, TenantKeyItem } from '../../../gateway/crypto/key-table.ts'
import { Keyring } from '../../../gateway/crypto/keyring.ts'
import type { Kms } from '../../../gateway/crypto/kms.ts'
import { newWrappedKey, wrapKeyFrom } from '../../../gateway/crypto/wrap.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'

// `node test/gateway/crypto/touch-patients.ts make FILE COUNT` writes the wrapped keys of COUNT patients.
// `... touch FILE` loads the keys of all patients from a keyring, 100 at a time, uses each, and prints the peak memory of the
// process in MB. Two processes, so that the measurement contains only the keyring.

const TENANT = 'riverside' as TenantId
const AT_ONCE = 100
const WRAPPED_BYTES = 61

const tenantKey = createHash('sha256').update('a tenant key for measuring').digest()
const patientAt = (place: number): PatientId => {
  const id = Buffer.alloc(16)
  id.writeUInt32BE(place)
  return id.toString('base64url') as PatientId
}
const placeOf = (patient: PatientId): number => Buffer.from(patient, 'base64url').readUInt32BE()

function make(file: string, count: number): void {
  const wrapWith = wrapKeyFrom(Buffer.from(tenantKey))
  const all = Buffer.alloc(count * WRAPPED_BYTES)
  for (let place = 0; place < count; place++) {
    const holder = { use: 'patient-key', patient: patientAt(place) } as const
    newWrappedKey(wrapWith, { tenant: TENANT, holder, tenantKeyVersion: 1, version: 1 }, randomBytes).copy(
      all,
      place * WRAPPED_BYTES,
    )
  }
  writeFileSync(file, all)
}

async function touch(file: string): Promise<void> {
  const all = readFileSync(file)
  const count = all.length / WRAPPED_BYTES
  const kms: Kms = {
    generateDataKey: () => Promise.resolve({ key: Buffer.from(tenantKey), wrapped: new Uint8Array(1) }),
    decrypt: () => Promise.resolve(Buffer.from(tenantKey)),
  }
  const itemOf = (patient: PatientId): PatientKeyItem => {
    const at = placeOf(patient) * WRAPPED_BYTES
    const wrapped = new Uint8Array(all.subarray(at, at + WRAPPED_BYTES))
    return { versions: [{ version: 1, tenantKeyVersion: 1, wrapped, sealsFrom: 0 }] }
  }
  let tenantItem: TenantKeyItem | undefined
  const table: KeyTable = {
    load: async (_tenant, { patients }) => {
      await new Promise(setImmediate)
      return { ...(tenantItem && { tenant: tenantItem }), patients: new Map(patients.map((one) => [one, itemOf(one)])) }
    },
    createTenant: (_tenant, item) => {
      tenantItem = item
      return Promise.resolve('created')
    },
  }
  const keyring = new Keyring({ kms, table, now: Date.now, kmsKeysFor: () => ['alias/one'] })
  await keyring.createTenant(TENANT)
  let used = 0
  for (let start = 0; start < count; start += AT_ONCE) {
    const patients = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, place) => patientAt(start + place))
    for (const handle of (await keyring.patientKeys(TENANT, patients, 'cached')).values()) {
      const { seal, manifest } = handle.current()
      if (!seal.equals(manifest)) used++
    }
  }
  console.log(JSON.stringify({ used, peakMegabytes: process.resourceUsage().maxRSS / 1000 }))
}

const [, , act, file = '', count] = process.argv
if (act === 'make') make(file, Number(count))
else await touch(file)
