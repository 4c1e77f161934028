import { expect, it } from 'vitest'
import type { Instant } from '../../gateway/model/ids.ts'
import { demoBundles } from '../../infra/local/demo/bundles.ts'
import { map } from './clinic.ts'
import { compare, newComparison } from './written-facts.ts'

it('a written record gets the metadata of an imported one with its values, and the rules allow all values of the demo', () => {
  const found = newComparison()
  const now = '2026-06-01T12:00:00.000Z'
  for (const tenant of ['riverside', 'lakeside'] as const)
    for (const bundle of demoBundles({ tenant, count: 40 }))
      for (const { records } of map(bundle, new Map(), now).patients)
        for (const record of records) compare(found, record, Date.parse(now) as Instant)
  expect(found.records).toBeGreaterThan(2_000)
  expect(found).toMatchObject({ facts: {}, faults: {} })
})
