import type { Faker } from '@faker-js/faker'
import { PLACES, type Place, RESTRICTED_PLACE } from './places.ts'
import { type Resource, type Term, concept } from './resources.ts'

const US_CORE = 'http://hl7.org/fhir/us/core/StructureDefinition'
const CDC_RACE = 'urn:oid:2.16.840.1.113883.6.238'

const RACES: readonly Term[] = [
  ['2106-3', 'White'],
  ['2054-5', 'Black or African American'],
  ['2028-9', 'Asian'],
  ['1002-5', 'American Indian or Alaska Native'],
]
const ETHNICITIES: readonly Term[] = [
  ['2186-5', 'Not Hispanic or Latino'],
  ['2135-2', 'Hispanic or Latino'],
]
const MARITAL: readonly Term[] = [
  ['M', 'Married'],
  ['S', 'Never Married'],
  ['D', 'Divorced'],
  ['W', 'Widowed'],
]
const LANGUAGES: readonly Term[] = [
  ['en-US', 'English (United States)'],
  ['es-US', 'Spanish (United States)'],
]

/** Numbers of the patients that demonstrate a researcher's views: a restricted ZIP prefix, and an age over 89. */
const IN_RESTRICTED_PLACE = 2
const OVER_89 = 3

/**
 * A patient with every demographic field of the API.
 *
 * No identifier here can belong to a real person. The Social Security Administration issues no number that starts with 9, and
 * the groups used are not groups of taxpayer numbers. Telephone numbers are in the fictional range 555-01xx. Email addresses end
 * in example.org (RFC 2606).
 *
 * @param number from 1, within the tenant
 */
export function demoPatient(faker: Faker, tenant: string, number: number): Resource {
  const id = `${tenant}-${number}`
  const gender = faker.helpers.arrayElement(['female', 'male'] as const)
  const family = faker.person.lastName()
  const given = [faker.person.firstName(gender), faker.person.middleName(gender)]
  const place = number === IN_RESTRICTED_PLACE ? RESTRICTED_PLACE : faker.helpers.arrayElement(PLACES)
  const born = number === OVER_89 ? '1931-05-17' : dayBetween(faker, '1940-01-01', '2004-12-31')
  return {
    resourceType: 'Patient',
    id,
    extension: [
      usCore('us-core-race', faker.helpers.arrayElement(RACES)),
      usCore('us-core-ethnicity', faker.helpers.arrayElement(ETHNICITIES)),
    ],
    identifier: [
      {
        type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] },
        system: `https://${tenant}.example.org/mrn`,
        value: `MRN-${faker.string.numeric(8)}`,
      },
      { system: 'http://hl7.org/fhir/sid/us-ssn', value: neverIssuedSsn(faker) },
    ],
    name: [{ use: 'official', family, given }],
    telecom: [
      {
        system: 'phone',
        value: `${faker.string.numeric({ length: 3, exclude: ['0', '1'] })}-555-01${faker.string.numeric(2)}`,
        use: 'home',
      },
      { system: 'email', value: `${given[0] ?? ''}.${family}.${number}@example.org`.toLowerCase().replace(/[^a-z0-9.@]/g, '') },
    ],
    gender,
    birthDate: born,
    address: [{ use: 'home', line: [faker.location.streetAddress()], ...addressOf(faker, place) }],
    maritalStatus: concept('http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', faker.helpers.arrayElement(MARITAL)),
    communication: [{ language: concept('urn:ietf:bcp:47', faker.helpers.arrayElement(LANGUAGES)), preferred: true }],
  }
}

function usCore(name: string, [code, display]: Term): object {
  return {
    url: `${US_CORE}/${name}`,
    extension: [
      { url: 'ombCategory', valueCoding: { system: CDC_RACE, code, display } },
      { url: 'text', valueString: display },
    ],
  }
}

function addressOf(faker: Faker, { city, district, state, zip3 }: Place): object {
  return { city, district, state, postalCode: `${zip3}0${faker.number.int({ min: 1, max: 9 })}`, country: 'US' }
}

/** After a leading 9, the groups 50-65, 70-88, 90-92 and 94-99 are taxpayer numbers (IRS, ITIN). The groups 10-49 are unused. */
function neverIssuedSsn(faker: Faker): string {
  return `9${faker.string.numeric(2)}-${faker.number.int({ min: 10, max: 49 })}-${faker.string.numeric(4)}`
}

function dayBetween(faker: Faker, from: string, to: string): string {
  return faker.date.between({ from, to }).toISOString().slice(0, 10)
}
