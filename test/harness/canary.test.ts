import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SealedStore } from '../../gateway/admin/open-store.ts'
import type { RecordId, RequestId } from '../../gateway/model/ids.ts'
import { NO_CHANGES } from '../../gateway/model/source-result.ts'
import { listenToUrls } from './asked-urls.ts'
import { Canary } from './canary.ts'
import { findMarkers } from './canary-markers.ts'
import { allFormsOf } from './leak-search.ts'

const STORE: SealedStore = {
  idFor: (type) => Buffer.from(type.padEnd(16, '.').slice(0, 16)).toString('base64url') as RecordId,
  write: () => Promise.resolve(NO_CHANGES),
  withdraw: () => Promise.resolve(NO_CHANGES),
  storedPatients: () => Promise.resolve(new Map()),
  writeStudy: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

let folder: string
let canary: Canary
const marker = (path: string): string => canary.patient.markers.byPath.get(path) ?? ''

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-canary-'))
  canary = new Canary(await Canary.write(() => Promise.resolve(STORE)))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('P8: the search for values of the canary patient can fail', () => {
  it('finds nothing without a leak', () => {
    canary.printed('{"message":"REQUEST"}')
    writeFileSync(join(folder, 'data'), Buffer.alloc(1_000_000, 'canary patient 1887 9182736 '))
    expect(() => canary.search(folder)).not.toThrow()
  })

  it('has a distinct marker in every text, and a stem in every date and number', () => {
    const texts = [...canary.patient.markers.byPath.values()].filter((text) => !/^1887-|^9182/.test(text))
    expect(new Set(texts).size).toBe(texts.length)
    for (const text of texts) expect(texts.filter((other) => other.includes(text))).toEqual([text])
    expect(texts.length).toBeGreaterThan(100)
  })

  it.each([
    'Patient.familyName',
    'Patient.birthDate',
    'Claim.total',
    'Observation.effectiveDateTime',
    'CareTeamMember.displayName',
  ])('finds %s in every form and at every place of a text', (path) => {
    for (const [form, needle] of allFormsOf(marker(path))) {
      for (const before of ['', 'a', 'ab', 'abc']) {
        const bytes = Buffer.from(`${before}${needle} and more`, 'latin1')
        const found = findMarkers([{ name: 'here', bytes }], canary.patient.markers.byPath)
        expect(found.join('\n'), form).toContain(` of ${path}`)
        expect(found.join('\n')).not.toContain(marker(path))
      }
    }
  })

  it('finds a marker in base64 of any alignment', () => {
    for (const before of ['', 'a', 'ab']) {
      const bytes = Buffer.from(Buffer.from(`${before}${marker('Patient.mrn')}`).toString('base64'))
      expect(findMarkers([{ name: 'here', bytes }], canary.patient.markers.byPath).join()).toContain('of Patient.mrn')
    }
  })

  it('finds a part of a marker without the name of its field', () => {
    const bytes = Buffer.from(`x${marker('Patient.mrn').slice(0, 10)}x`)
    expect(findMarkers([{ name: 'here', bytes }], canary.patient.markers.byPath)).toEqual(['here: plain of a part of some value'])
  })

  const places: readonly (readonly [string, (value: string) => void])[] = [
    ['an answer to somebody else', (value) => canary.answered({ status: 200, headers: {}, body: `{"a":"${value}"}` })],
    ['an answer to somebody else', (value) => canary.answered({ status: 200, headers: { etag: value }, body: '' })],
    ['an event INTERNAL', (value) => canary.told({ event: 'INTERNAL', requestId: 'r' as RequestId, cause: value, frames: [] })],
    ['a line of the log or of the metrics', (value) => canary.printed(value)],
    ['a URL', (value) => canary.asked(`/x?${value}`)],
    [
      'the file data',
      (value) => {
        mkdirSync(join(folder, 'inside'))
        writeFileSync(join(folder, 'inside', 'data'), Buffer.concat([Buffer.alloc(9), Buffer.from(value)]))
      },
    ],
  ]

  it.each(places)('in %s, reports the place and the field, and not the value', (place, leak) => {
    const value = marker('Patient.familyName')
    leak(value)
    const search = (): void => canary.search(folder)
    expect(search).toThrow(`${place}: plain of Patient.familyName`)
    expect(search).not.toThrow(value)
  })

  it("reports a value in the errors of an answer to the patient's own user, but not in its data", async () => {
    const value = marker('Patient.familyName')
    const answer = (body: object) => () => Promise.resolve({ status: 200, headers: {}, body: JSON.stringify(body) })
    await canary.read(answer({ data: { value } }))
    expect(() => canary.search(folder)).not.toThrow()
    await canary.read(answer({ data: null, errors: [{ message: value }] }))
    expect(() => canary.search(folder)).toThrow('errors or headers of an answer to its own user: plain of Patient.familyName')
  })

  it('covers the URL of each request that this process sends or answers', async () => {
    const server = createServer((_request, response) => response.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const asked: string[] = []
    const silence = listenToUrls((url) => void asked.push(url))
    try {
      await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a?b=c`)
    } finally {
      silence()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    expect(asked).toEqual(['/a?b=c', '/a?b=c'])
  })
})
