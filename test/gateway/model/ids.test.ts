import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { idOfUuid, uuidOf } from '../../../gateway/model/ids.ts'

describe('the id of a record that another system names by a UUID', () => {
  it('has 22 base64url characters, and leads back to the UUID', () => {
    for (let count = 0; count < 100; count++) {
      const uuid = randomUUID()
      const id = idOfUuid(uuid)
      expect(id).toMatch(/^[\w-]{22}$/)
      expect(id && uuidOf(id)).toBe(uuid)
    }
  })

  it('is the same for upper and lower case', () => {
    const uuid = '0c7d2f9e-5a41-4e0b-9c3d-1f2a3b4c5d6e'
    expect(idOfUuid(uuid.toUpperCase())).toBe(idOfUuid(uuid))
  })

  it.each([
    ['a UUID of another version, which is not random', '0c7d2f9e-5a41-1e0b-9c3d-1f2a3b4c5d6e'],
    ['a UUID of another variant', '0c7d2f9e-5a41-4e0b-cc3d-1f2a3b4c5d6e'],
    ['no hyphens', '0c7d2f9e5a414e0b9c3d1f2a3b4c5d6e'],
    ['a line break after it', '0c7d2f9e-5a41-4e0b-9c3d-1f2a3b4c5d6e\n'],
    ['a URN', 'urn:uuid:0c7d2f9e-5a41-4e0b-9c3d-1f2a3b4c5d6e'],
    ['another text', 'constructor'],
    ['an empty text', ''],
  ])('does not exist for %s', (_, text) => {
    expect(idOfUuid(text)).toBeUndefined()
  })
})
