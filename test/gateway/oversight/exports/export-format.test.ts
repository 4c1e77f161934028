import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { exported } from '../../../../gateway/oversight/exports/export-format.ts'
import { EXPORT_FORMATS } from '../../../../gateway/oversight/exports/export-formats.ts'
import { MEMBER_NAMES } from '../../../../gateway/oversight/exports/members.ts'
import { verifyLane } from '../../../../gateway/audit/verify/lane.ts'
import { parseExport } from '../../../../gateway/audit/verify/export.ts'
import { samples } from '../../audit/audit-arbitraries.ts'
import { entriesOfRequests, requests, sampledEntries } from './export-arbitraries.ts'
import { batchesOf, DIGESTS, objectsOf, PLAIN, textOf } from './export-bench.ts'

/** The rows of RFC 4180. A cell without quotes is undefined if it is empty. */
function parsedCsv(text: string): (string | undefined)[][] {
  const rows: (string | undefined)[][] = []
  let row: (string | undefined)[] = []
  for (let at = 0; at < text.length; ) {
    let cell = ''
    const isQuoted = text[at] === '"'
    if (isQuoted) {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (at >= text.length) throw new Error('a quote is open')
        if (text[at] === '"') at++
        cell += text.charAt(at)
      }
      at++
    } else {
      for (; at < text.length && text[at] !== ',' && text[at] !== '\r'; at++) {
        if (text[at] === '"' || text[at] === '\n') throw new Error('a cell needs quotes')
        cell += text.charAt(at)
      }
    }
    row.push(cell === '' && !isQuoted ? undefined : cell)
    if (text[at] === ',') at++
    else if (text.startsWith('\r\n', at)) {
      rows.push(row)
      row = []
      at += 2
    } else throw new Error('a cell ends with neither a comma nor a line')
  }
  return rows
}

const shown = (value: unknown): string | undefined =>
  value === undefined || typeof value === 'string' ? value : JSON.stringify(value)

describe('exports of the audit log', () => {
  it('C08: NDJSON has the records as they are, and the verifier accepts them', async () => {
    const entries = sampledEntries(400, 5)
    const text = await textOf('ndjson', entries)
    expect(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(entries)
    const { items, malformed } = parseExport(text)
    expect(malformed).toEqual([])
    const lanes = Map.groupBy(items, ({ lane }) => lane)
    expect([...lanes.values()].flatMap((lane) => verifyLane(lane).findings)).toEqual([])
  })

  it('C08: CSV has every member in its column, for any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(samples(8), requests), async (sample) => {
        const entries = entriesOfRequests([sample])
        const [header = [], ...rows] = parsedCsv(await textOf('csv', entries))
        expect(header).toEqual([...MEMBER_NAMES, 'others'])
        expect(rows.length).toBe(entries.length)
        entries.forEach((entry, at) => {
          const cells = rows[at]?.map((cell) => (cell?.startsWith("'") === true ? cell.slice(1) : cell))
          expect(cells).toEqual([...MEMBER_NAMES.map((name) => shown(entry[name])), undefined])
        })
      }),
      { numRuns: 60 },
    )
  })

  it('C08: no cell of CSV is a formula', async () => {
    const starts = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']
    const [entry] = sampledEntries(1, 6)
    if (entry === undefined) throw new Error('no record')
    const entries = starts.map(
      (start, at): AuditEntry => ({ ...entry, index: at + 1, app: `${start}HYPERLINK("https://phi.example")` }),
    )
    const [, ...rows] = parsedCsv(await textOf('csv', entries))
    const column = MEMBER_NAMES.indexOf('app')
    expect(rows.map((row) => row[column]?.slice(0, 2))).toEqual(starts.map((start) => `'${start}`))
  })

  it('C08: CSV keeps the members that a later writer adds, in the last column', async () => {
    const [entry] = sampledEntries(1, 6)
    // a later writer has members that the types do not have
    const later = { ...entry, deviceId: 'device-1', place: { ward: 3 } } as unknown as AuditEntry
    const [, row = []] = parsedCsv(await textOf('csv', [later]))
    expect(JSON.parse(row.at(-1) ?? '')).toEqual({ deviceId: 'device-1', place: { ward: 3 } })
  })

  it('C08: the batches of a stream make no difference', async () => {
    const entries = sampledEntries(150, 7)
    for (const format of EXPORT_FORMATS) {
      const whole = await textOf(format, batchesOf(entries, entries.length), DIGESTS)
      for (const size of [1, 2, 7]) expect(await textOf(format, batchesOf(entries, size), DIGESTS)).toBe(whole)
    }
  })

  it('C08: reads no batch before the texts of the one before are taken', async () => {
    const entries = sampledEntries(200, 8)
    for (const format of EXPORT_FORMATS) {
      let read = 0
      async function* counted(): AsyncGenerator<readonly AuditEntry[]> {
        for await (const batch of batchesOf(entries, 20)) {
          read++
          yield batch
        }
      }
      let taken = 0
      for await (const text of exported(format, counted(), PLAIN)) {
        expect(text.endsWith('\n')).toBe(true)
        taken++
        expect(read).toBeLessThanOrEqual(taken + 2)
      }
    }
  })

  it('C08: events have ids that are distinct, and the same in every export of the item', async () => {
    const entries = sampledEntries(600, 9)
    const later = entries.slice(entries.findIndex(({ sequence }) => sequence === 20))
    for (const [format, idOf] of [
      ['fhir', (event: Readonly<Record<string, unknown>>) => event['id']],
      ['ocsf', (event: Readonly<Record<string, unknown>>) => (event['metadata'] as Record<string, unknown>)['uid']],
    ] as const) {
      const events = new Map((await objectsOf(format, entries)).map((event) => [idOf(event), event]))
      expect(events.size).toBe((await objectsOf(format, entries)).length)
      const again = await objectsOf(format, later)
      expect(again.length).toBeGreaterThan(50)
      for (const event of again) expect(event).toEqual(events.get(idOf(event)))
    }
  })

  it('C08: every access is in exactly one event, with its path and outcome', async () => {
    const entries = sampledEntries(400, 10)
    const wanted = entries.map(({ path, outcome }) => `${path} ${outcome}`).toSorted()
    type Accesses = readonly { readonly path: string; readonly outcome: string }[]
    const ocsf = (await objectsOf('ocsf', entries)).flatMap((event) =>
      ((event['unmapped'] as Record<string, unknown>)['records'] as readonly { readonly accesses: Accesses }[]).flatMap(
        ({ accesses }) => accesses.map(({ path, outcome }) => `${path} ${outcome}`),
      ),
    )
    expect(ocsf.toSorted()).toEqual(wanted)
    type Entities = readonly { readonly detail?: readonly { readonly type: string; readonly valueString: string }[] }[]
    const events = (await objectsOf('fhir', entries)).filter((one) => one['resourceType'] === 'AuditEvent')
    const fhir = events.flatMap((event) =>
      (event['entity'] as Entities).flatMap(({ detail = [] }) =>
        detail
          .filter(({ valueString }) => valueString.startsWith('{"outcome"'))
          .map(({ type, valueString }) => `${type} ${(JSON.parse(valueString) as { outcome: string }).outcome}`),
      ),
    )
    expect(fhir.toSorted()).toEqual(wanted)
  })

  it('refuses options that are not valid before it reads anything', () => {
    const none = (): AsyncIterable<readonly AuditEntry[]> => batchesOf([], 1)
    for (const gateway of [
      '',
      'phi.example',
      'ftp://phi.example',
      'https://phi.example/',
      'https://phi.example/?a',
      'https://a:b@phi.example',
    ])
      expect(() => exported('fhir', none(), { ...PLAIN, gateway })).toThrow(TypeError)
    expect(() => exported('fhir', none(), { ...PLAIN, identifiers: { digestKey: new Uint8Array(31) } })).toThrow(TypeError)
  })
})
