import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../../infra/local/stack.ts'
import { findLeaks } from '../harness/leak-search.ts'
import { bundlesOf } from './folder.ts'

const run = promisify(execFile)
const shared = process.env['PHI_SHARED'] ?? ''
const sets = ['biocfhir-30', 'hiv-5'].map((name) => join(shared, 'data/synthea', name))
const command = new URL('../../cli/phi.ts', import.meta.url).pathname

interface Reference {
  readonly reference?: string
}

interface Resource {
  readonly resourceType: string
  readonly name?: readonly { readonly family?: string; readonly given?: readonly string[] }[]
  readonly identifier?: readonly { readonly system?: string; readonly value?: string }[]
  readonly contained?: readonly (Resource & { readonly beneficiary?: Reference })[]
  readonly participant?: readonly { readonly member?: Reference }[]
  readonly presentedForm?: readonly { readonly contentType?: string; readonly data?: string }[]
  readonly conclusion?: string
  readonly text?: { readonly div?: string }
}

interface BundleEntry {
  readonly fullUrl?: string
  readonly resource: Resource
}

const AS_THEY_ARE = [
  'Patient',
  'Encounter',
  'Condition',
  'Observation',
  'MedicationRequest',
  'AllergyIntolerance',
  'Immunization',
  'Procedure',
  'DocumentReference',
  'Coverage',
  'Claim',
]

/**
 * The expected records of a bundle, counted from its JSON alone: one for each resource, the reports with a text, the practitioners
 * of care teams, and the distinct coverages within settlements of one patient.
 */
function countRecords(entries: readonly BundleEntry[], counts: Map<string, number>): void {
  const add = (type: string): void => void counts.set(type, (counts.get(type) ?? 0) + 1)
  const practitioners = new Set(
    entries.filter(({ resource }) => resource.resourceType === 'Practitioner').map(({ fullUrl }) => fullUrl),
  )
  const coverages = new Set<string>()
  for (const { resource } of entries) {
    if (AS_THEY_ARE.includes(resource.resourceType)) add(resource.resourceType)
    if (resource.resourceType === 'DiagnosticReport') {
      const presented = resource.presentedForm?.some(({ contentType, data }) => contentType?.startsWith('text/') && data)
      if (presented === true || resource.conclusion !== undefined || resource.text?.div !== undefined) add('DocumentReference')
    }
    if (resource.resourceType === 'CareTeam') {
      for (const { member } of resource.participant ?? []) if (practitioners.has(member?.reference)) add('CareTeamMember')
    }
    for (const held of resource.contained ?? []) {
      if (held.resourceType === 'Coverage') coverages.add(JSON.stringify(held))
    }
  }
  if (coverages.size > 0) counts.set('Coverage', (counts.get('Coverage') ?? 0) + coverages.size)
}

const count = (text: string): number => Number(text.replaceAll(',', ''))

describe('the Synthea bundles', () => {
  let stack: Stack
  let dataFolder: string
  let output = ''
  const expected = new Map<string, number>()
  const secrets = new Set<string>()

  beforeAll(async () => {
    expect(shared, 'PHI_SHARED names the folder').not.toBe('')
    dataFolder = mkdtempSync(join(tmpdir(), 'phi-synthea-'))
    stack = await startStack({ dataFolder, port: 0 })
    await phi('keys', 'create', 'riverside')
    for await (const bundle of bundlesOf(sets)) {
      const { entry } = bundle as { entry: readonly BundleEntry[] }
      countRecords(entry, expected)
      for (const { resource } of entry) {
        if (resource.resourceType !== 'Patient') continue
        for (const { family, given } of resource.name ?? [])
          for (const name of [family, ...(given ?? [])]) if (name !== undefined) secrets.add(name)
        for (const { system, value } of resource.identifier ?? [])
          if (system?.includes('us-ssn') === true && value !== undefined) secrets.add(value)
      }
    }
  })

  afterAll(async () => {
    await stack.stop()
    rmSync(dataFolder, { recursive: true, force: true })
  })

  const phi = async (...args: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await run(process.execPath, [command, ...args], {
      env: { ...process.env, ...stack.env },
      maxBuffer: 1e8,
    })
    output += stdout + stderr
    return stdout
  }
  const load = (): Promise<string> => phi('import', ...sets)

  it('are imported completely, twice with the same result', async () => {
    const first = await load()
    // long lines continue after an indent
    const [, counted = ''] = /^records: (.*(?:\n {2}.*)*)$/m.exec(first) ?? []
    const counts = counted.split(/,\s+/).map((one) => one.split(' '))
    expect(Object.fromEntries(counts.map(([type, times = '']) => [type, count(times)]))).toEqual(Object.fromEntries(expected))
    expect(first).not.toContain('fault')
    const [, created = ''] = /^created ([\d,]+), updated 0, unchanged 0$/m.exec(first) ?? []
    expect(count(created)).toBe([...expected.values()].reduce((sum, times) => sum + times, 0))
    const second = await load()
    expect(second).toMatch(new RegExp(`^created 0, updated 0, unchanged ${created}$`, 'm'))
    const [entriesOfFirst = '', entriesOfSecond = ''] = [first, second].map(
      (text) => /^entries: (.*(?:\n {2}.*)*)$/m.exec(text)?.[1],
    )
    expect(entriesOfSecond).toBe(entriesOfFirst.replace(' imported', ' unchanged'))
    const [read = Number.NaN, ...parts] = [...entriesOfFirst.matchAll(/[\d,]*\d/g)].map(([text]) => count(text))
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(read)
    const rest = (text: string): string => text.replace(/^(?:created|entries).*(?:\n {2}.*)*$/gm, '')
    expect(rest(second)).toBe(rest(first))
  })

  it('P8: names and SSNs occur neither in the files of the engine nor in the output', () => {
    expect(secrets.size).toBeGreaterThan(60)
    const files = readdirSync(dataFolder).map((name) => ({ name, bytes: readFileSync(join(dataFolder, name)) }))
    expect(files.some(({ name, bytes }) => name.startsWith('dynamodb.sqlite') && bytes.length > 1_000_000)).toBe(true)
    const haystacks = [...files, { name: 'output', bytes: Buffer.from(output) }]
    const long = [...secrets].filter((secret) => secret.length >= 6)
    expect(long.length).toBeGreaterThan(60)
    expect(findLeaks(haystacks, long)).toEqual([])
    // a control: the search finds existing text
    const planted = Buffer.from(Buffer.from(`xx${long[0] ?? ''}yy`).toString('base64'))
    expect(findLeaks([{ name: 'planted', bytes: planted }], long.slice(0, 1))).not.toEqual([])
  })
})
