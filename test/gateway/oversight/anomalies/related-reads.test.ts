import { describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../../../gateway/model/failures.ts'
import { AnomalySettings } from '../../../../gateway/oversight/anomalies/anomaly-settings.ts'
import { findAnomalies } from '../../../../gateway/oversight/anomalies/find-anomalies.ts'
import { readRelated } from '../../../../gateway/oversight/anomalies/related-reads.ts'
import type { Relation } from '../../../../gateway/oversight/anomalies/relations.ts'
import { MAX_ROWS } from '../../../../gateway/oversight/anomalies/statements.ts'
import type { AuditTables, OpenTables, TableQuestion } from '../../../../gateway/oversight/tables/audit-tables.ts'
import { longDeadline } from './simulator/simulated-tables.ts'

const SPAN = { from: Date.parse('2026-03-02'), to: Date.parse('2026-03-31'), baselineFrom: Date.parse('2026-01-01'), offset: 0 }
const settings = AnomalySettings.parse({})

/** Tables that answer each question about patients with a read of each user and patient that it names. */
function tablesOf(asked: TableQuestion[]): OpenTables {
  const row = (user_id: string, patient: string): object => ({
    user_id,
    patient,
    day: '2026-03-05',
    basis: 'ORGANIZATION',
    grant_id: null,
    is_named: 0n,
    records: 4n,
    first_at: new Date(SPAN.from),
    last_at: new Date(SPAN.from),
  })
  return {
    ask: async (question) => {
      asked.push(question)
      const texts = question.values.map(String)
      const patients = texts.filter((text) => text.startsWith('p-'))
      const users = texts.filter((text) => text.startsWith('nurse-'))
      const rows = question.sql.includes('is_named')
        ? patients.flatMap((patient) => (users.length === 0 ? ['nurse-9'] : users).map((user) => row(user, patient)))
        : []
      return await Promise.resolve({ rows: rows as Readonly<Record<string, unknown>>[], examined: 7, tableSize: 0 })
    },
  }
}

/** Tables of one state: each opening is the same. */
const whole = (open: OpenTables): AuditTables => ({ ...open, opened: async (_span, _deadline, work) => await work(open) })

const relationOf = (user: string, patient: string): Relation => ({ user, patient, kind: 'NEIGHBOR', shared: new Set(['STREET']) })

describe('C22: the reads of known patients', () => {
  it('C22: come in statements with a bounded number of patients and users, and only those of related pairs', async () => {
    const relations = Array.from({ length: 2_500 }, (_, at) => relationOf(`nurse-${at % 4}`, `p-${at}`))
    const asked: TableQuestion[] = []
    const users = new Set(['nurse-1'])
    const seen: ReadonlySet<string>[] = []
    const workforce = {
      of: async (of: ReadonlySet<string>) => {
        seen.push(of)
        return await Promise.resolve({ relations, workers: new Set(['p-worker']), vips: new Set(['p-vip', 'p-0']) })
      },
    }
    const { related, examined } = await readRelated(tablesOf(asked), workforce, users, SPAN, 14, longDeadline())
    expect(seen).toEqual([users])
    expect(examined).toBe(7)
    for (const { sql, values } of asked) {
      expect(values.length).toBeLessThanOrEqual(2_000)
      expect(sql.split('?').length - 1).toBe(values.length)
    }
    // each pair once: workers and persons of public interest by all users, the others by the users that know them
    const pairs = related.reads.map(({ user_id, patient }) => `${user_id} ${patient}`)
    const wanted = [
      ...relations.slice(1).map(({ user, patient }) => `${user} ${patient}`),
      'nurse-9 p-vip',
      'nurse-9 p-0',
      'nurse-9 p-worker',
    ]
    expect(pairs.toSorted()).toEqual(wanted.toSorted())
  })

  it('C22: are not asked for without a relation', async () => {
    const asked: TableQuestion[] = []
    const workforce = {
      of: async () => await Promise.resolve({ relations: [], workers: new Set<string>(), vips: new Set<string>() }),
    }
    const { related } = await readRelated(tablesOf(asked), workforce, new Set(), SPAN, 14, longDeadline())
    expect(asked).toEqual([])
    expect(related.reads).toEqual([])
  })

  it('C22: relations that cannot be read fail the question: they are no relations that do not exist', async () => {
    const workforce = { of: async () => await Promise.reject(new StoreUnavailable()) }
    await expect(findAnomalies(whole(tablesOf([])), workforce, SPAN, settings, longDeadline())).rejects.toThrow(StoreUnavailable)
  })

  it('C22: an answer that is too large, or of another form, fails the question', async () => {
    const workforce = {
      of: async () =>
        await Promise.resolve({ relations: [relationOf('nurse-1', 'p-1')], workers: new Set<string>(), vips: new Set<string>() }),
    }
    const answering = (rows: readonly Readonly<Record<string, unknown>>[]): OpenTables => ({
      ask: async () => await Promise.resolve({ rows, examined: 0, tableSize: 0 }),
    })
    const ask = async (rows: readonly Readonly<Record<string, unknown>>[]): Promise<unknown> =>
      await readRelated(answering(rows), workforce, new Set(['nurse-1']), SPAN, 14, longDeadline())
    await expect(ask(Array.from({ length: MAX_ROWS + 1 }, () => ({})))).rejects.toMatchObject({ code: 'FILTER_TOO_BROAD' })
    await expect(ask([{ user_id: 1 }])).rejects.toMatchObject({ name: 'AuditLogUnavailable' })
  })
})
