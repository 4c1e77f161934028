import { beforeEach, describe, expect, it, vi } from 'vitest'
import { GrantList } from '../../../gateway/access/grant-list.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from '../../../gateway/access/manifest-items.ts'
import { sealGrantManifest } from '../../../gateway/crypto/grant-manifest.ts'
import { accessDigest, type AccessItemPlace, sealAccessItem } from '../../../gateway/crypto/access-seal.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { KeyUnavailable, StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId } from '../../../gateway/model/ids.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { OTHER_PATIENT, PATIENT, PLACE, rawKey, purposeKey } from '../crypto/place-fixtures.ts'

const { tenant } = PLACE
const key = purposeKey('access')
const NAME = 'CARE_TEAM#nurse'
const place: AccessItemPlace = { tenant, table: 'break-glass', pk: `${tenant}#${PATIENT}`, sk: NAME }
const manifestPlace: AccessItemPlace = { ...place, sk: '#ROOT' }
const parse = (content: Json): string | undefined => (typeof content === 'string' ? content : undefined)

const seal = (content: Json, at = place, with_ = key): Uint8Array => sealAccessItem(with_, at, content)
const manifestOf = (items: Readonly<Record<string, Uint8Array>>, at = manifestPlace, with_ = key): Uint8Array =>
  sealGrantManifest(with_, at, {
    version: 1,
    items: new Map(Object.entries(items).map(([name, sealed]) => [name, accessDigest(sealed)])),
  })
const verify = (item: Uint8Array | undefined, manifest: Uint8Array | undefined, with_ = key): ManifestItem<string> =>
  verifyAgainstManifest(new GrantList({ key: with_, tenant, patient: PATIENT }, manifest), { place, name: NAME }, item, parse)

const item = seal('today')
const fault = (what: string): unknown => expect.objectContaining({ kind: 'FAULT', what })

describe('P6: an access item counts only if the manifest lists this item', () => {
  it('returns the content of a listed item', () => {
    expect(verify(item, manifestOf({ [NAME]: item }))).toEqual({ kind: 'FOUND', content: 'today' })
  })

  it('returns none only if neither manifest nor table has the item', () => {
    expect(verify(undefined, manifestOf({}))).toEqual({ kind: 'NONE' })
  })

  it.each([
    ['with an item', item],
    ['without an item', undefined],
  ])('P3: never answers a missing manifest as none, %s', (_case, stored) => {
    expect(verify(stored, undefined)).toEqual({ kind: 'NO_MANIFEST' })
  })

  it('P3: grants nothing for a well-sealed item that is not listed', () => {
    expect(verify(item, manifestOf({}))).toEqual(fault('NOT_LISTED'))
    expect(verify(item, manifestOf({ 'CARE_TEAM#other': item }))).toEqual(fault('NOT_LISTED'))
  })

  it('reports a listed item that is absent', () => {
    expect(verify(undefined, manifestOf({ [NAME]: item }))).toEqual(fault('MISSING'))
  })

  it.each([
    ['an earlier item, put back', seal('yesterday')],
    ['the same content, sealed at another time', seal('today')],
    ['an item with one bit changed', item.with(item.length - 1, (item.at(-1) ?? 0) ^ 1)],
    ['an empty item', new Uint8Array()],
  ])('reports %s', (_case, stored) => {
    expect(verify(stored, manifestOf({ [NAME]: item }))).toEqual(fault('ALTERED'))
  })

  it.each([
    ['of another patient', manifestOf({ [NAME]: item }, { ...manifestPlace, pk: `${tenant}#${OTHER_PATIENT}` })],
    ['of another table', manifestOf({ [NAME]: item }, { ...manifestPlace, table: 'access' })],
    ['under another key', manifestOf({ [NAME]: item }, manifestPlace, purposeKey('access', rawKey(0x10)))],
    ['that is empty', new Uint8Array()],
    ['that is an item', item],
    ['with other content', seal({ version: 1, items: [] }, manifestPlace)],
  ])('reports a manifest %s', (_case, manifest) => {
    expect(verify(item, manifest)).toEqual(fault('MANIFEST_ALTERED'))
  })

  it('reports a listed item that does not open, or has no valid content', () => {
    const moved = seal('today', { ...place, pk: `${tenant}#${OTHER_PATIENT}` })
    expect(verify(moved, manifestOf({ [NAME]: moved }))).toEqual(fault('MANIFEST_ALTERED'))
    const invalid = seal(['today'])
    expect(verify(invalid, manifestOf({ [NAME]: invalid }))).toEqual(fault('ALTERED'))
  })

  it('throws an unavailable key: this is neither none nor a fault', () => {
    const unavailable = {
      ...key,
      byVersion: () => {
        throw new KeyUnavailable()
      },
    }
    expect(() => verify(item, manifestOf({ [NAME]: item }), unavailable)).toThrow(KeyUnavailable)
  })
})

describe('P6: a faulty item is read again before it is reported', () => {
  const FOUND: ManifestItem<string> = { kind: 'FOUND', content: 'today' }
  const ALTERED: ManifestItem<string> = { kind: 'FAULT', what: 'ALTERED' }
  const MISSING: ManifestItem<string> = { kind: 'FAULT', what: 'MISSING' }
  let events: GatewayEvent[]

  beforeEach(() => {
    events = []
  })

  /** Answers each patient from a list of items, one for each read; the last item stays. */
  const looking = (answers: ReadonlyMap<PatientId, readonly ManifestItem<string>[]>) => {
    const reads = new Map<PatientId, number>()
    return vi.fn((pending: readonly PatientId[]) => {
      const items = pending.flatMap((patient) => {
        const at = reads.get(patient) ?? 0
        reads.set(patient, at + 1)
        const own = answers.get(patient) ?? []
        const answer = own[Math.min(at, own.length - 1)]
        return answer === undefined ? [] : [[patient, answer] as const]
      })
      return Promise.resolve(new Map(items))
    })
  }
  const readAll = (look: ReturnType<typeof looking>, patients = [PATIENT, OTHER_PATIENT]) =>
    readManifestItems({ tenant, events: (event) => void events.push(event) }, patients, look)

  it('reads only the faulty ones again, and reports no write in between', async () => {
    const look = looking(
      new Map([
        [PATIENT, [ALTERED, MISSING, FOUND]],
        [OTHER_PATIENT, [FOUND]],
      ]),
    )
    expect(await readAll(look)).toEqual(
      new Map([
        [PATIENT, FOUND],
        [OTHER_PATIENT, FOUND],
      ]),
    )
    expect(look.mock.calls).toEqual([[[PATIENT, OTHER_PATIENT]], [[PATIENT]], [[PATIENT]]])
    expect(events).toEqual([])
  })

  it('reports the fault of the third read, and answers with it', async () => {
    const look = looking(
      new Map([
        [PATIENT, [MISSING, MISSING, ALTERED, FOUND]],
        [OTHER_PATIENT, [FOUND]],
      ]),
    )
    expect((await readAll(look)).get(PATIENT)).toEqual(ALTERED)
    expect(look).toHaveBeenCalledTimes(3)
    expect(events).toEqual([{ event: 'ACCESS_ITEM_FORGED', tenant, patient: PATIENT, what: 'ALTERED' }])
  })

  it('P5: reads a missing manifest once, as for a patient that does not exist', async () => {
    const look = looking(new Map([[PATIENT, [{ kind: 'NO_MANIFEST' }]]]))
    expect(await readAll(look)).toEqual(new Map([[PATIENT, { kind: 'NO_MANIFEST' }]]))
    expect(look).toHaveBeenCalledTimes(1)
  })

  it('makes no request for no patients, and passes on a failed read', async () => {
    const look = looking(new Map())
    expect(await readAll(look, [])).toEqual(new Map())
    expect(look).not.toHaveBeenCalled()
    look.mockRejectedValue(new StoreUnavailable())
    await expect(readAll(look)).rejects.toThrow(StoreUnavailable)
    expect(look).toHaveBeenCalledTimes(1)
  })
})
