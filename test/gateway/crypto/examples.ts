import { accessDigest } from '../../../gateway/crypto/access-seal.ts'
import { sealPatientAccess } from '../../../gateway/crypto/patient-access.ts'
import { sealGrantChunk, sealGrantManifest } from '../../../gateway/crypto/grant-manifest.ts'
import { sealAccessItem } from '../../../gateway/crypto/access-seal.ts'
import { searchToken } from '../../../gateway/crypto/blind-index.ts'
import { comparisonTokens } from '../../../gateway/crypto/comparison-tokens.ts'
import { sealCursor } from '../../../gateway/crypto/cursor.ts'
import { aadPrefix, fieldAad } from '../../../gateway/crypto/record-binding.ts'
import { SealedRecord, sealRecord } from '../../../gateway/crypto/sealed-record.ts'
import { sealField, sealMetadata } from '../../../gateway/crypto/sealed-field.ts'
import { derivedId, subjectToken } from '../../../gateway/crypto/tokens.ts'
import { sealTombstone } from '../../../gateway/crypto/tombstone.ts'
import { wrapKey, wrapKeyFrom } from '../../../gateway/crypto/wrap.ts'
import type { Coordinate } from '../../../directives/coordinates.ts'
import type { Instant, UserId } from '../../../gateway/model/ids.ts'
import { counter, countingRandom, path, PATIENT, patientKeys, PLACE, rawKey, purposeKey } from './place-fixtures.ts'

/** The examples of `docs/sealed-field.md` by name, computed by the code. */
export function examples(): ReadonlyMap<string, string> {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const keys = patientKeys({ 1: rawKey(0x20) })
  const prefix = aadPrefix(PLACE)
  const birthDate = path('Patient.birthDate')
  const { tenant } = PLACE
  const metadata = { open: {}, references: {} }

  const wrapPlace = { tenant, holder: { use: 'patient-key', patient: PATIENT }, tenantKeyVersion: 1, version: 1 } as const
  const wrapped = wrapKey(wrapKeyFrom(rawKey(0x40)), wrapPlace, rawKey(0x20), countingRandom())
  const field = sealField(keys.current(), prefix, birthDate, '1984-02-29', countingRandom())
  const sealedMetadata = sealMetadata(keys.current(), prefix, 7, metadata, countingRandom())
  // both nonces of the manifest's parts begin at 00, as in the single examples
  const random = () => countingRandom()(12)
  const record = sealRecord(keys, PLACE, 7, { values: new Map([[birthDate, '1984-02-29']]), metadata }, random)
  SealedRecord.open(keys, PLACE, record.manifest, counter()).openField(birthDate, field)

  const access = sealAccessItem(purposeKey('access'), { tenant, pk: 'pk', sk: 'sk' }, { since: '2024-01-01' }, countingRandom())
  const listed = { version: 2, items: new Map([['USER#x', accessDigest(access)]]) }
  const rootPlace = { tenant, pk: 'pk', sk: '#ROOT' }
  const members = new Map([['CARE_TEAM#x', { periods: [{ since: 1_704_067_200_000 }] }]])
  const content = { version: 2, own: 1, consents: [], members }
  const accessManifest = sealPatientAccess(purposeKey('access'), rootPlace, content, countingRandom())
  const grants = sealGrantManifest(purposeKey('access'), { ...rootPlace, table: 'break-glass' }, listed, countingRandom())
  const chunkPlace = { ...rootPlace, table: 'break-glass', sk: '#ROOT#1' } as const
  const grantChunk = sealGrantChunk(purposeKey('access'), chunkPlace, listed.items, countingRandom())
  const chunked = { version: 2, chunks: [{ first: '', number: 1, digest: accessDigest(grantChunk) }], next: 2 }
  const chunkedGrants = sealGrantManifest(purposeKey('access'), { ...rootPlace, table: 'break-glass' }, chunked, countingRandom())
  const destroyed = { at: 1_735_689_600_000 as Instant, versions: [1] }
  const bound = {
    caller: { tenant, user: 'u1' as UserId, purpose: 'TREAT' },
    coordinate: 'Patient.observations' as Coordinate,
    patient: PATIENT,
    filter: {},
  } as const
  const name = { path: path('Patient.familyName'), with: [birthDate], normalize: 'NAME', alone: true } as const
  return new Map([
    ['wrapped-patient-key', hex(wrapped)],
    ['field-aad', hex(fieldAad(prefix, birthDate, 1))],
    ['field', hex(field)],
    ['metadata', hex(sealedMetadata)],
    ['manifest', hex(record.manifest)],
    ['access-item', hex(access)],
    ['access-manifest', hex(accessManifest)],
    ['grant-manifest', hex(grants)],
    ['grant-chunk', hex(grantChunk)],
    ['grant-manifest-with-chunks', hex(chunkedGrants)],
    ['tombstone', hex(sealTombstone(purposeKey('access'), tenant, PATIENT, destroyed, countingRandom()))],
    ['cursor', sealCursor(purposeKey('cursor'), bound, ['2024-01-01', 3], countingRandom())],
    ['subject-token', subjectToken(purposeKey('lookup'), 'Practitioner/123')],
    ['derived-id', derivedId(purposeKey('identifier'), PLACE.type, '42')],
    ['comparison-token', comparisonTokens(purposeKey('comparison'), tenant, { familyName: 'Stone' })[0]?.token ?? ''],
    ['search-token', searchToken(purposeKey('index'), tenant, name, ['stone', '1984-02-29'])],
  ])
}
