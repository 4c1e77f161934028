import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { itemHash, userAgentHash } from '../../../gateway/audit/entry.ts'
import { NOTHING_BEFORE } from '../../../gateway/audit/verify/item.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { access, context } from './examples.ts'

const place = { tenant: 'riverside', lane: 'cHJvY2Vz.1', sequence: 1 }

const sha256 = (...parts: (string | Buffer)[]): string =>
  createHash('sha256')
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest('hex')

describe('P7: each item covers the previous item', () => {
  it('P7: the hash is SHA-256 over the 32 raw bytes of the previous hash, the address and the text', () => {
    const first = itemHash(place, '{"ü":1}', NOTHING_BEFORE)
    expect(first).toBe(sha256(Buffer.alloc(32), 'riverside#cHJvY2Vz.1/1\n', '{"ü":1}'))
    const second = itemHash({ ...place, sequence: 2 }, '{}', first)
    expect(second).toBe(sha256(Buffer.from(first, 'hex'), 'riverside#cHJvY2Vz.1/2\n', '{}'))
  })

  it.each([
    ['tenant', { ...place, tenant: 'lakeside' }],
    ['lane', { ...place, lane: 'cHJvY2Vz.2' }],
    ['sequence', { ...place, sequence: 2 }],
  ])('P7: another %s changes the hash', (_, other) => {
    expect(itemHash(other, '{}', NOTHING_BEFORE)).not.toBe(itemHash(place, '{}', NOTHING_BEFORE))
  })

  it('P7: another text or another previous hash changes the hash', () => {
    expect(itemHash(place, '{"a":1}', NOTHING_BEFORE)).not.toBe(itemHash(place, '{"a":2}', NOTHING_BEFORE))
    expect(itemHash(place, '{}', '1'.repeat(64))).not.toBe(itemHash(place, '{}', NOTHING_BEFORE))
  })

  it('P7: given records have a fixed text, so that an item stored today can be verified in ten years', () => {
    const packer = new ItemPacker(
      context({ user: 'dr#müller "é"\n', roles: ['PHYSICIAN', 'NURSE'], operation: 'Chart', mfa: true }),
    )
    const observation = { recordType: 'Observation' as TypeName, recordId: 'o1', listed: true, basisId: 'm1' }
    packer.add(access(3, { path: 'Patient.birthDate' as SchemaPath, rule: 'Patient.birthDate#2' }))
    packer.add(access(1, { ...observation, path: 'Observation.code' as SchemaPath, rule: 'Observation.code#1' }))
    packer.add(access(3, { path: 'Patient.observations' as SchemaPath, rule: 'Patient.observations#1', count: 12 }))
    const [draft] = packer.rest()
    expect(draft?.encode({ succeeds: 'cHJvY2Vz.1/7' }).text).toBe(
      '{"c":{"f":1,"m":true,"on":"Chart","p":"AAECAwQFBgcICQoLDA0ODw","po":"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s",' +
        '"ps":1,"pt":1,"pu":"TREAT","q":"cmVxdWVzdHJlcXVlc3RyZXF1","ro":["PHYSICIAN","NURSE"],"su":"cHJvY2Vz.1/7",' +
        '"t":1772366400000,"u":"dr#müller \\"é\\"\\n"},' +
        '"g":[[0,"AAECAwQFBgcICQoLDA0ODw",3,[0,1]],[1,"o1",1,[2]]],' +
        '"h":[{"b":"CARE_TEAM","rt":"Patient"},{"b":"CARE_TEAM","bi":"m1","ls":true,"rt":"Observation"}],' +
        '"s":[{"p":".birthDate","ru":"#2"},{"n":12,"p":".observations"},".code"]}',
    )
  })
})

it('names a user agent by the first 8 bytes of its SHA-256', () => {
  const agent = 'Mozilla/5.0 (X11; Linux x86_64)'
  expect(userAgentHash(agent)).toBe(Buffer.from(sha256(agent), 'hex').subarray(0, 8).toString('base64url'))
  expect(userAgentHash(agent)).toHaveLength(11)
})
