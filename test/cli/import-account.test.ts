import fc from 'fast-check'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EntryCounts } from '../../cli/entry-tally.ts'
import type { ImportReport } from '../../cli/import-report.ts'
import { runImport } from '../../cli/import-run.ts'
import type { SourceResult } from '../../gateway/model/source-result.ts'
import { VersionConflict } from '../../gateway/model/failures.ts'
import { bundle, careTeam, map, observation, patient, practitioner, riverside } from '../fhir/clinic.ts'
import { MemoryImporter } from '../fhir/memory-importer.ts'
import { plainOptions } from '../harness/import-options.ts'

const subject = { reference: 'Patient/ada' }
const id = fc.constantFrom('a', 'b', 'c', undefined)
const whose = fc.constantFrom('Patient/ada', 'Patient/bob', 'urn:uuid:nowhere')

/** A resource that is imported, left out, read by others, not imported, or refused. */
const resource = fc.oneof(
  fc.record({ id: fc.constantFrom('ada', 'bob', undefined) }).map((changes) => patient(changes)),
  fc
    .record({ id, subject: whose.map((reference) => ({ reference })), status: fc.constantFrom('final', 'entered-in-error', 7) })
    .map((changes) => observation(changes)),
  fc.constantFrom<object>(
    observation({ id: 'spoiled', valueQuantity: { value: 'x' } }),
    careTeam(),
    careTeam({ id: 't2', status: undefined }),
    careTeam({ id: 't3', participant: [{ member: { reference: '#nobody' } }] }),
    practitioner(),
    { resourceType: 'Goal', id: 'g', subject },
    { resourceType: 'Binary', id: 'y', contentType: 'text/plain' },
    { resourceType: 'Consent', id: 'n', status: 'active', patient: subject },
    { resourceType: 'Consent', id: 'n', status: 'inactive', patient: { reference: 'Patient/eve' } },
    { resourceType: 'RelatedPerson', id: 'r', active: true, patient: subject },
    { resourceType: 'RelatedPerson', id: 'r2', active: false, patient: subject },
    { resourceType: 'DiagnosticReport', id: 'd', status: 'final', subject, code: { text: 'x' } },
    { resourceType: 'Parameters' },
    { resourceType: 'OperationOutcome', issue: [{ severity: 'error' }] },
    { resourceType: 'Nonsense' },
    {
      resourceType: 'ExplanationOfBenefit',
      id: 'e',
      patient: subject,
      contained: [{ resourceType: 'Coverage', beneficiary: subject, payor: [{ display: 'p' }] }],
    },
  ),
)
const entry: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: resource.map((one) => ({ resource: one })) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 'text', {}, { request: { method: 'DELETE', url: 'Patient/ada' } }) },
)
const filled = fc.array(entry, { minLength: 1, maxLength: 6 })
const nested = filled.map((entries) => ({ resource: { ...bundle(), entry: entries } }))
const bundles = fc.record({
  type: fc.constantFrom('collection', 'transaction', 'history'),
  entries: fc.array(fc.oneof({ weight: 5, arbitrary: entry }, nested), { maxLength: 8 }),
})
const lines = fc.array(
  fc.oneof({ weight: 6, arbitrary: resource.map((one) => JSON.stringify(one)) }, fc.constantFrom('', '{"no', '{}')),
  {
    maxLength: 8,
  },
)

interface File {
  readonly name: string
  readonly content: string
  readonly entries: number
}

const entriesOf = (entries: readonly unknown[]): number =>
  entries.reduce<number>((sum, one) => {
    const inner = (one as { resource?: { resourceType?: unknown; entry?: readonly unknown[] } } | null)?.resource
    return sum + (inner?.resourceType === 'Bundle' ? entriesOf(inner.entry ?? []) : 1)
  }, 0)
const file: fc.Arbitrary<Omit<File, 'name'> & { ending: string }> = fc.oneof(
  bundles.map(({ type, entries }) => ({
    ending: 'json',
    content: JSON.stringify({ ...bundle(), type, entry: entries }),
    entries: entriesOf(entries),
  })),
  lines.map((all) => ({ ending: 'ndjson', content: all.join('\n'), entries: all.filter((line) => line !== '').length })),
  resource.map((one) => ({ ending: 'json', content: JSON.stringify(one), entries: 1 })),
  fc.constant({ ending: 'json', content: 'no JSON', entries: 0 }),
)
const files: fc.Arbitrary<readonly File[]> = fc
  .array(file, { minLength: 1, maxLength: 5 })
  .map((all) => all.map(({ ending, ...one }, index) => ({ ...one, name: `${index}.${ending}` })))

/** Refuses patients whose turn it is, as a busy store does. */
class BusyImporter extends MemoryImporter {
  readonly #busy: Iterator<boolean>
  constructor(busy: readonly boolean[]) {
    super()
    this.#busy = busy.values()
  }
  override async write(...args: Parameters<MemoryImporter['write']>): Promise<SourceResult> {
    if (this.#busy.next().value === true) throw new VersionConflict()
    return await super.write(...args)
  }
}

async function imported(all: readonly File[], importer: MemoryImporter): Promise<ImportReport> {
  const home = mkdtempSync(join(tmpdir(), 'phi-account-'))
  try {
    for (const { name, content } of all) writeFileSync(join(home, name), content)
    return await runImport({ paths: [home], tenant: riverside, importer, ...plainOptions() })
  } finally {
    rmSync(home, { recursive: true })
  }
}

const partsOf = ({ read: _, ...parts }: EntryCounts): number[] => Object.values(parts)
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

describe('the account of an import', () => {
  it('has every entry of every file exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(files, fc.array(fc.boolean(), { maxLength: 3 }), async (all, busy) => {
        const report = await imported(all, new BusyImporter(busy))
        const byName = new Map(report.files.map(({ file: name, ...counts }) => [name, counts]))
        for (const { name, entries } of all) {
          const counts = byName.get(name)
          expect(counts?.read, name).toBe(entries)
          expect(counts && sum(partsOf(counts)), name).toBe(entries)
        }
        expect(report.entries.read).toBe(sum(all.map(({ entries }) => entries)))
        expect(sum(partsOf(report.entries))).toBe(report.entries.read)
        if (report.entries.issues > 0) expect(report.faults).not.toEqual([])
        expect(report.entries.notImported).toBe(sum([...report.unknown.values()]))
        expect(report.entries.leftOut).toBe(sum([...report.leftOut.values()]))
      }),
      { numRuns: 80 },
    )
  })

  it('has an issue for every entry that is refused', () => {
    fc.assert(
      fc.property(bundles, ({ type, entries }) => {
        const { outcomes, faults } = map({ ...bundle(), type, entry: entries })
        expect(outcomes).toHaveLength(entriesOf(entries))
        for (const [index, { kind }] of outcomes.entries()) {
          if (kind === 'issue') expect(faults.map((fault) => fault.entry)).toContain(index)
        }
      }),
      { numRuns: 150 },
    )
  })
})
