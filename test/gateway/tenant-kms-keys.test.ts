import { describe, expect, it } from 'vitest'
import { kmsKeysOf, TenantKmsKeys } from '../../gateway/tenant-kms-keys.ts'
import type { TenantId } from '../../gateway/model/ids.ts'

const keysOf = (text: string | undefined, tenant: string) =>
  kmsKeysOf(TenantKmsKeys.parse(text), 'alias/shared')(tenant as TenantId)

describe('PHI_TENANT_KMS_KEYS', () => {
  it('gives a tenant its own keys, the current one first, and all others the shared key', () => {
    const text = '{"lakeside": "arn:aws:kms:eu-west-1:1:key/a", "harbor": ["alias/new", "alias/old"]}'
    expect(keysOf(text, 'lakeside')).toEqual(['arn:aws:kms:eu-west-1:1:key/a'])
    expect(keysOf(text, 'harbor')).toEqual(['alias/new', 'alias/old'])
    for (const tenant of ['riverside', 'constructor', '__proto__']) expect(keysOf(text, tenant)).toEqual(['alias/shared'])
    for (const nothing of [undefined, '', '{}']) expect(keysOf(nothing, 'lakeside')).toEqual(['alias/shared'])
  })

  it.each([
    ['no JSON', '{"lakeside": '],
    ['a list', '["alias/a"]'],
    ['a tenant that is none', '{"Lake Side": "alias/a"}'],
    ['no key', '{"lakeside": []}'],
    ['an empty key', '{"lakeside": ""}'],
    ['a key with a space', '{"lakeside": "alias/a b"}'],
    ['the same key twice', '{"lakeside": ["alias/a", "alias/a"]}'],
    ['a number', '{"lakeside": 1}'],
  ])('is refused at the start: %s', (_what, text) => {
    expect(TenantKmsKeys.safeParse(text).success).toBe(false)
  })
})
