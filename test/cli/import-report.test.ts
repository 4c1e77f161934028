import { describe, expect, it } from 'vitest'
import { type ImportReport, summary } from '../../cli/import-report.ts'
import { progressOn } from '../../cli/progress.ts'

const NO_ENTRIES = { read: 0, imported: 0, unchanged: 0, leftOut: 0, superseded: 0, readByOthers: 0, notImported: 0, issues: 0 }
const EMPTY: ImportReport = {
  bundles: 0,
  resources: 0,
  patients: 0,
  records: new Map(),
  written: { created: 0, updated: 0, unchanged: 0, removed: 0, moved: 0 },
  entries: NO_ENTRIES,
  files: [],
  passedOver: new Map(),
  missingPages: 0,
  unknown: new Map(),
  leftOut: new Map(),
  unassigned: new Map(),
  unused: [],
  unreadable: 0,
  matchesNone: false,
  closed: 0,
  replaced: [],
  faults: [],
}

describe('the summary of an import', () => {
  it('divides long lists after a part, into lines of at most 80 columns, with separators in each count', () => {
    const report: ImportReport = {
      ...EMPTY,
      bundles: 1_200,
      patients: 1_180,
      records: new Map([
        ['Observation', 1_204_311],
        ['Claim', 98_000],
        ['Encounter', 61_432],
        ['DocumentReference', 9_871],
        ['MedicationRequest', 8_000],
        ['Immunization', 1_000],
        ['Patient', 1_180],
      ]),
      written: { created: 1_382_614, updated: 1_180, unchanged: 0, removed: 1_001, moved: 2_002 },
      entries: {
        ...NO_ENTRIES,
        read: 1_500_000,
        imported: 1_382_614,
        leftOut: 12_000,
        readByOthers: 100_000,
        notImported: 4_386,
        issues: 1_000,
      },
      unknown: new Map([['Goal', 4_386]]),
      leftOut: new Map([['Observation entered-in-error', 12_000]]),
    }
    expect([...summary(report)]).toEqual([
      '1,180 patients from 1,200 bundles',
      'entries: 1,500,000 read = 1,382,614 imported + 12,000 left out +',
      '  100,000 read by others + 4,386 of types that are not imported + 1,000 refused',
      'records: Observation 1,204,311, Claim 98,000, Encounter 61,432,',
      '  DocumentReference 9,871, MedicationRequest 8,000, Patient 1,180,',
      '  Immunization 1,000',
      'created 1,382,614, updated 1,180, unchanged 0',
      'records removed, because their source withdrew them or they cannot be read: 1,001',
      'records moved from the chart of another patient: 2,002',
      'not imported, by type: Goal 4,386',
      'left out: Observation entered-in-error 12,000',
    ])
  })

  it('keeps a short list on its line, and a part that is longer than a line whole', () => {
    const long = `${'x'.repeat(90)}.xml`
    const lines = [...summary({ ...EMPTY, records: new Map([['Patient', 2]]), passedOver: new Map([[long, 1]]) })]
    expect(lines).toContain('records: Patient 2')
    expect(lines.at(-1)).toBe(`files that are not read: ${long} 1`)
  })

  it('aligns the practitioners and their numbers of patients', () => {
    const unassigned = new Map([
      ['Practitioner/a', 1],
      ['Practitioner/longer', 1_200],
      ['Practitioner/b', 37],
    ])
    expect([...summary({ ...EMPTY, unassigned })].slice(-4)).toEqual([
      'practitioners on care teams without an assigned user (assign one with --assign USER=PRACTITIONER):',
      '  Practitioner/longer  1,200 patients',
      '  Practitioner/b          37 patients',
      '  Practitioner/a           1 patient',
    ])
  })
})

describe('the progress bar of an import', () => {
  it.each([
    [{ doneBytes: 100, patients: 1, records: 1 }, ' 100%  1 patient, 1 record, '],
    [{ doneBytes: 50, patients: 60, records: 912 }, ' 50%  60 patients, 912 records, '],
    [{ doneBytes: 99, patients: 12_345, records: 987_654 }, ' 99%  12,345 patients, 987,654 records, '],
  ])('fits 80 columns: %o', (now, text) => {
    let written = ''
    const stream = {
      isTTY: true,
      columns: 200,
      write: (part: string) => {
        written += part
        return true
      },
      on: () => stream,
      removeListener: () => stream,
    }
    const progress = progressOn({ stream: stream as unknown as NodeJS.WriteStream, now: () => 0 })
    progress.start(100)
    progress.update(now)
    progress.stop()
    // without the sequences that move the cursor
    const lines = written.replaceAll(/\u001b\[[\d?]*[A-Za-z]/g, '\n').split('\n')
    const last = lines.findLast((line) => line.includes('%')) ?? ''
    expect(last).toContain(text)
    // three hours in the longest form, after which the bar still fits
    expect(last.slice(0, last.indexOf(text) + text.length).length + '12h59m'.length).toBeLessThanOrEqual(80)
    expect(last.indexOf(' ')).toBe(24)
  })
})
