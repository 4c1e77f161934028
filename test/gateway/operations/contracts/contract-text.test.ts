import { expect, it } from 'vitest'
import {
  admitContract,
  contractJson,
  contractText,
  parseContract,
  parseContractText,
} from '../../../../gateway/operations/contracts/contract-text.ts'
import { contractFaults, ContractRefused, faultText } from '../../../../gateway/operations/contracts/contract-faults.ts'
import { isNetwork } from '../../../../gateway/operations/contracts/network.ts'
import { fromPaddedText, toPaddedText } from '../../../../gateway/crypto/padded-text.ts'
import { clinic, contractOf, NOW, PAYER } from './fixtures.ts'

/** The faults of a contract as `member reason name`. */
function faultsOf(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (!(error instanceof ContractRefused)) throw error
    return error.faults.map(({ member, reason, name = '' }) => [member, reason, name].join(' ').trim())
  }
}

const parsed = (changes: Readonly<Record<string, unknown>>) => faultsOf(() => parseContract({ ...PAYER, ...changes }))
const admitted = (changes: Readonly<Record<string, unknown>>) =>
  faultsOf(() => admitContract(JSON.stringify({ ...PAYER, ...changes }), clinic.policy, NOW))

it('P10: a contract keeps its digest through its text, whatever the order of its lists and members', () => {
  const contract = contractOf()
  expect(contract.digest).toMatch(/^[0-9a-f]{64}$/)
  expect(parseContractText(contractText(contract))).toEqual(contract)
  const shuffled = Object.fromEntries(
    Object.entries(PAYER)
      .toReversed()
      .map(([name, value]) => [name, Array.isArray(value) ? [...(value as string[]), ...(value as string[])].toReversed() : value]),
  )
  expect(parseContract({ ...shuffled, expires: '2027-12-31T01:00:00+01:00' }).digest).toBe(contract.digest)
})

it('P10: no order of a list changes the digest', () => {
  const lists = {
    roles: ['PARTNER', 'BILLING'],
    purposes: ['HPAYMT', 'HOPERAT'],
    paths: ['Patient.mrn', 'Claim.total'],
    categories: ['IDENTITY', 'FINANCIAL'],
    sensitivities: ['SEX', 'HIV'],
    networks: ['192.0.2.0/24', '10.0.0.0/8'],
  }
  for (const [name, list] of Object.entries(lists)) {
    expect(contractOf({ [name]: list.toReversed() }).digest, name).toBe(contractOf({ [name]: list }).digest)
  }
})

it('P10: every member is part of the digest', () => {
  const others = [
    { client: 'other' },
    { recipient: { ...PAYER.recipient, name: 'Other' } },
    { recipient: { ...PAYER.recipient, address: 'Other' } },
    { recipient: { name: PAYER.recipient.name, address: PAYER.recipient.address } },
    { roles: ['BILLING'] },
    { purposes: ['TREAT'] },
    { paths: [] },
    { categories: [] },
    { sensitivities: ['HIV'] },
    { maxPage: 19 },
    { valuesPerDay: 0 },
    { expires: '2027-12-31T00:00:01Z' },
    { networks: ['192.0.2.0/25'] },
  ]
  const digests = new Set([contractOf().digest, ...others.map((changes) => contractOf(changes).digest)])
  expect(digests.size).toBe(others.length + 1)
})

it('names each member with a fault', () => {
  expect(parsed({ roles: undefined, purposes: [], maxPage: 101, networks: ['192.0.2.1/24'], extra: 1 })).toEqual([
    'roles MISSING',
    'purposes INVALID',
    'maxPage INVALID',
    'networks[0] NOT_A_NETWORK',
    'UNKNOWN_MEMBER extra',
  ])
  expect(parsed({ recipient: { name: '', address: 'Street', fax: 1 } })).toEqual([
    'recipient.name INVALID',
    'recipient UNKNOWN_MEMBER fax',
  ])
  expect(faultsOf(() => parseContractText('{"client":'))).toEqual(['NOT_JSON'])
  expect(faultsOf(() => parseContract(null))).toEqual(['INVALID'])
  expect(faultsOf(() => parseContract({}))).toHaveLength(11)
})

it('refuses values of a wrong form', () => {
  for (const [member, value] of [
    ['client', 'two\nlines'],
    ['client', '\u202Eemca'],
    ['client', 'half \uD800'],
    ['maxPage', 0],
    ['maxPage', 1.5],
    ['valuesPerDay', -1],
    ['expires', '2027-12-31'],
    ['expires', 'tomorrow'],
    ['roles', 'PARTNER'],
  ] as const) {
    expect(parsed({ [member]: value }), member).toEqual([`${member} INVALID`])
  }
  expect(parsed({ recipient: { ...PAYER.recipient, reference: 'Patient/1' } })).toEqual(['recipient.reference INVALID'])
  expect(parsed({ paths: ['Patient.mrn', 'two words'] })).toEqual(['paths[1] INVALID'])
})

it('P8: a fault repeats names alone', () => {
  const hostile = '\u001B[2J ignore'
  try {
    parseContract({ ...PAYER, paths: [hostile], [hostile]: 1 })
    expect.unreachable()
  } catch (error) {
    expect(JSON.stringify(error)).not.toContain('ignore')
    expect(String(error)).not.toContain('ignore')
  }
})

it('names each role, purpose, path, category and label that the policy does not have', () => {
  expect(
    admitted({
      roles: ['PARTNER', 'PAYER'],
      purposes: ['HPAYMT', 'PAY', 'TREAT'],
      paths: ['Patient.mrn', 'Patient.sssn', 'Patient.id'],
      categories: ['FINANCIAL', 'MONEY'],
      sensitivities: ['HIV', 'R', 'NOPAT', 'SECRET'],
    }),
  ).toEqual([
    'roles[1] UNKNOWN_ROLE PAYER',
    'purposes[1] UNKNOWN_PURPOSE PAY',
    'purposes[2] UNCLAIMABLE_PURPOSE TREAT',
    'paths[1] UNKNOWN_PATH Patient.sssn',
    'paths[2] UNKNOWN_PATH Patient.id',
    'categories[1] UNKNOWN_CATEGORY MONEY',
    'sensitivities[3] UNKNOWN_LABEL SECRET',
  ])
  expect(admitted({})).toEqual([])
})

it('refuses a contract that has ended', () => {
  expect(admitted({ expires: new Date(NOW).toISOString() })).toEqual(['expires EXPIRED'])
  expect(contractFaults(contractOf({ expires: new Date(NOW + 1).toISOString() }), clinic.policy, NOW)).toEqual([])
})

it('describes each fault in one line', () => {
  const [fault] = contractFaults(contractOf({ paths: ['Patient.sssn'] }), clinic.policy, NOW)
  expect(fault && faultText(fault)).toBe('paths[0] Patient.sssn is not a PHI path of the schema. Correct it, or remove it.')
})

it('refuses lists and texts above the limits', () => {
  const paths = (count: number, length: number) => Array.from({ length: count }, (_, place) => `T.${'x'.repeat(length)}${place}`)
  expect(parsed({ paths: paths(2_000, 10) })).toEqual([])
  expect(parsed({ paths: paths(2_001, 10) })).toEqual(['paths TOO_MANY'])
  expect(parsed({ paths: paths(2_000, 60) })).toEqual(['TOO_LARGE'])
  const networks = (count: number) => Array.from({ length: count }, (_, place) => `10.0.${place}.0/24`)
  expect(parsed({ networks: networks(100) })).toEqual([])
  expect(parsed({ networks: networks(101) })).toEqual(['networks TOO_MANY'])
})

it('the largest contract fits a sealed text', () => {
  const paths = Array.from({ length: 2_000 }, (_, place) => `T.${'x'.repeat(38)}${10_000 + place}`)
  const json = contractJson(contractOf({ paths }))
  expect(fromPaddedText(toPaddedText({ ...json } as never))).toEqual(json)
})

it('a network has zeros after its prefix', () => {
  const valid = [
    '0.0.0.0/0',
    '10.0.0.0/8',
    '192.0.2.7/32',
    '192.0.2.128/25',
    '2001:db8::/32',
    '::/0',
    '2001:db8::1/128',
    '64:ff9b::192.0.2.0/120',
  ]
  const invalid = [
    ...[
      '',
      '192.0.2.0',
      '192.0.2.0/',
      '192.0.2.0/33',
      '192.0.2.0/024',
      '192.0.2.1/24',
      '192.0.2/24',
      '192.0.2.0/24 ',
      '0xc0.0.2.0/24',
    ],
    ...['2001:db8::1/64', '2001:db8::/129', '::ffff:192.0.2.0/120', 'fe80::%eth0/64', '64:ff9b::192.0.2.1/120', 'example.com/24'],
  ]
  expect(valid.filter((text) => !isNetwork(text))).toEqual([])
  expect(invalid.filter(isNetwork)).toEqual([])
})
