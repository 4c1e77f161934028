import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import type { Json } from '../../gateway/index.ts'
import type { Sealing } from './protected.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** AES-256-GCM of `node:crypto` under one key that is kept as a KeyObject. The place of a value is additional authenticated data. */
export function nodeCryptoSealing(material: Uint8Array): Sealing {
  const key = createSecretKey(material)
  return {
    seal: (value, _tenant, place) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place))
      const parts = [nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()]
      return Promise.resolve(Buffer.concat(parts))
    },
    open: (sealed, _tenant, place) => {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES))
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      return JSON.parse(text) as Json
    },
  }
}
