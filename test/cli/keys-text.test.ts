import { describe, expect, it } from 'vitest'
import { statusText } from '../../cli/keys-text.ts'
import type { RotationStatus } from '../../gateway/admin/tenant-rotation.ts'

const DAY = 86_400_000
const CREATED = Date.UTC(2026, 0, 1)

const status = (changes: Partial<RotationStatus> = {}): RotationStatus => ({
  tenantKeys: [{ version: 1, kmsKey: 'alias/one', created: CREATED, uses: 2, patientKeys: 9 }],
  purposeKeys: [
    { use: 'index', version: 1, tenantKeyVersion: 1, sealsFrom: 0, state: 'FORMER' },
    { use: 'index', version: 2, tenantKeyVersion: 1, sealsFrom: CREATED + 30 * DAY, state: 'CURRENT' },
    { use: 'pseudonym', version: 1, tenantKeyVersion: 1, sealsFrom: 0, state: 'CURRENT' },
  ],
  patients: 9,
  run: undefined,
  ...changes,
})
const due = (one: RotationStatus, now: number) => {
  const { lines, overdue } = statusText(one, 365, now)
  return { overdue, lines: lines.filter((line) => line.startsWith('rotation of') && line.includes(' key version ')) }
}

describe('C14: the status of the keys of a tenant', () => {
  it('says when each key is due, and when one is overdue', () => {
    expect(due(status(), CREATED + 365 * DAY - 1)).toEqual({
      overdue: false,
      lines: ['rotation of tenant key version 1  due on 2027-01-01', 'rotation of index key version 2  due on 2027-01-31'],
    })
    expect(due(status(), CREATED + 365 * DAY)).toMatchObject({
      overdue: true,
      lines: ['rotation of tenant key version 1  overdue since 2027-01-01', 'rotation of index key version 2  due on 2027-01-31'],
    })
  })

  it('is overdue if the age of a key is unknown', () => {
    const old = status({ tenantKeys: [{ version: 1, kmsKey: 'alias/one', created: undefined, uses: 0, patientKeys: 0 }] })
    expect(due(old, CREATED)).toMatchObject({
      overdue: true,
      lines: ['rotation of tenant key version 1  overdue, because its age is unknown', expect.any(String)],
    })
  })

  it('has the step and the progress of an unfinished rotation', () => {
    const run = {
      scope: 'search',
      planned: { index: 2 },
      step: 'REWRITE',
      started: CREATED,
      updated: CREATED + 60_000,
      done: 4,
      of: 9,
      refused: 1,
    } as const
    const { lines } = statusText(status({ run }), 365, CREATED)
    expect(lines).toContain(
      'rotation of the search key, started 2026-01-01T00:00:00.000Z  rewrites search entries: 4 of 9 patients, refused 1, at 2026-01-01T00:01:00.000Z. To continue an interrupted rotation, run: phi keys rotate TENANT',
    )
    expect(lines).toContain('index key version 1  under tenant key version 1, former')
  })
})
