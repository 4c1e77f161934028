import { describe, expect, it } from 'vitest'
import { loadRecords } from '../../../gateway/admin/load-records.ts'
import type { SealedStore } from '../../../gateway/admin/open-store.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { NO_CHANGES } from '../../../gateway/model/source-result.ts'
import { practice } from './practice-policy.ts'

type Batch = Parameters<SealedStore['write']>[0]

/** Loads lines, and returns the counts and what the store would write. test/infra/local/project-stack.integration.test.ts has a real store. */
async function load(lines: Iterable<string>) {
  const batches: Batch[] = []
  const counts = await loadRecords(lines, {
    compiled: practice,
    store: {
      idFor: (type, sourceId) => `${type}(${sourceId})` as RecordId,
      write: (batch) => {
        batches.push(batch)
        return Promise.resolve({ ...NO_CHANGES, created: batch.records.length })
      },
    },
  })
  return { counts, written: batches.map(({ patient, records }) => [patient, records.map(({ ref }) => ref.id)]), batches }
}
const visit = (id: string, patient: string): string => JSON.stringify({ type: 'Visit', id, patient })

describe('records of NDJSON', () => {
  it('are written one patient at a time, in the order of the lines', async () => {
    const { counts, written } = await load([visit('a', 'p'), visit('b', 'p'), visit('c', 'q'), visit('d', 'p')])
    expect(counts).toEqual({ created: 4, updated: 0, unchanged: 0, refused: [] })
    expect(written).toEqual([
      ['Patient(p)', ['Visit(a)', 'Visit(b)']],
      ['Patient(q)', ['Visit(c)']],
      ['Patient(p)', ['Visit(d)']],
    ])
  })

  it('are written twice if a record is in two lines, so that the later line is a new version', async () => {
    const { written } = await load([visit('a', 'p'), visit('b', 'p'), visit('a', 'p')])
    expect(written).toEqual([
      ['Patient(p)', ['Visit(a)', 'Visit(b)']],
      ['Patient(p)', ['Visit(a)']],
    ])
  })

  it('are written 20 at a time', async () => {
    const { written } = await load(Array.from({ length: 45 }, (_, index) => visit(`v-${index}`, 'p')))
    expect(written.map(([, ids]) => ids?.length)).toEqual([20, 20, 5])
  })

  it('have the memberships of their write only', async () => {
    const patient = (id: string): string =>
      JSON.stringify({ type: 'Patient', id, memberships: [{ user: `Patient/${id}`, relationship: 'SELF' }] })
    const { batches } = await load([patient('p'), patient('q')])
    expect(batches.map(({ memberships }) => memberships.map(({ fhirUser }) => fhirUser))).toEqual([['Patient/p'], ['Patient/q']])
  })

  it('can have a byte order mark, CRLF and empty lines, which count', async () => {
    const { counts } = await load([`\uFEFF${visit('a', 'p')}\r`, '', '  \r', `${visit('b', 'p')}\r`, '{}\r'])
    expect(counts).toMatchObject({ created: 2, refused: [{ line: 5, why: expect.stringMatching(/^type: /) as string }] })
  })

  it('are written beside refused lines, which are listed by number and reason without a value', async () => {
    const secret = 'Xavier-Secret'
    const { counts } = await load([
      secret,
      visit('a', 'p'),
      `{"type":"${secret}","id":"x"}`,
      visit('b', 'p').replace('Visit', 'Visit\uFFFD'),
      visit(secret.repeat(10_000), 'p'),
    ])
    expect(counts.created).toBe(1)
    expect(counts.refused).toEqual([
      { line: 1, why: 'The line is not JSON.' },
      { line: 3, why: 'Unknown type. The schema has the types Patient, Visit.' },
      { line: 4, why: 'The line is not UTF-8.' },
      { line: 5, why: 'The line has more than 100000 characters.' },
    ])
    expect(JSON.stringify(counts)).not.toContain('Xavier')
  })
})
