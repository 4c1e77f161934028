import type { Faker } from '@faker-js/faker'
import { LOINC, type Resource, SNOMED, type Term, UCUM, concept } from './resources.ts'

type Category = 'laboratory' | 'vital-signs' | 'social-history' | 'exam'

const HBA1C: Term = ['4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood']
const GLUCOSE: Term = ['2339-0', 'Glucose [Mass/volume] in Blood']
const CREATININE: Term = ['2160-0', 'Creatinine [Mass/volume] in Serum or Plasma']
const BLOOD_PRESSURE: Term = ['85354-9', 'Blood pressure panel with all children optional']
const SYSTOLIC: Term = ['8480-6', 'Systolic blood pressure']
const DIASTOLIC: Term = ['8462-4', 'Diastolic blood pressure']
const HEART_RATE: Term = ['8867-4', 'Heart rate']
const WEIGHT: Term = ['29463-7', 'Body weight']
const HEIGHT: Term = ['8302-2', 'Body height']
const BMI: Term = ['39156-5', 'Body mass index (BMI) [Ratio]']
const SMOKING: Term = ['72166-2', 'Tobacco smoking status']
const COMPLAINT: Term = ['8661-1', 'Chief complaint - Reported']

const SMOKING_STATUS: readonly Term[] = [
  ['266919005', 'Never smoked tobacco'],
  ['8517006', 'Ex-smoker'],
  ['449868002', 'Smokes tobacco daily'],
]

const COMPLAINTS = [
  'Tired since the beginning of the month, sleeps well, no fever.',
  'Cough for a week, worse at night, no pain in the chest.',
  'Comes for the yearly visit, no complaints.',
  'Pain in the left knee when walking downstairs.',
  'Headache in the afternoon, twice a week.',
]

/** The reference range of adults. A value outside of it is interpreted as H or L. */
interface Range {
  readonly low: number
  readonly high: number
}

/**
 * Generates twelve observations between 2021 and 2025, in every shape of the API: quantities, a panel of components, a coded
 * value, a text. Weight, height and body mass index are consistent.
 */
export function demoObservations(faker: Faker, patient: string): Resource[] {
  const write = new Chart(faker, patient)
  const height = write.measured('vital-signs', HEIGHT, 'cm', number(faker, 150, 195, 0))
  const weight = write.measured('vital-signs', WEIGHT, 'kg', number(faker, 50, 115, 1))
  write.measured('vital-signs', BMI, 'kg/m2', Math.round((weight / (height / 100) ** 2) * 10) / 10, { low: 18.5, high: 24.9 })
  write.measured('vital-signs', HEART_RATE, '/min', number(faker, 48, 108, 0), { low: 60, high: 100 })
  write.bloodPressure()
  write.bloodPressure()
  write.measured('laboratory', HBA1C, '%', number(faker, 4.6, 9.2, 1), { low: 4, high: 5.6 })
  write.measured('laboratory', HBA1C, '%', number(faker, 4.6, 9.2, 1), { low: 4, high: 5.6 })
  write.measured('laboratory', GLUCOSE, 'mg/dL', number(faker, 62, 210, 0), { low: 70, high: 99 })
  write.measured('laboratory', CREATININE, 'mg/dL', number(faker, 0.5, 1.9, 2), { low: 0.6, high: 1.2 })
  write.add('social-history', SMOKING, {
    valueCodeableConcept: concept(SNOMED, faker.helpers.arrayElement(SMOKING_STATUS)),
  })
  write.add('exam', COMPLAINT, { valueString: faker.helpers.arrayElement(COMPLAINTS) })
  return write.observations
}

class Chart {
  readonly observations: Resource[] = []
  readonly #faker: Faker
  readonly #patient: string

  constructor(faker: Faker, patient: string) {
    this.#faker = faker
    this.#patient = patient
  }

  add(category: Category, code: Term, value: object): void {
    const at = this.#faker.date.between({ from: '2021-01-01T00:00:00Z', to: '2025-12-31T00:00:00Z' })
    this.observations.push({
      resourceType: 'Observation',
      id: `${this.#patient}-obs-${this.observations.length + 1}`,
      status: 'final',
      category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: category }] }],
      code: concept(LOINC, code),
      subject: { reference: `Patient/${this.#patient}` },
      effectiveDateTime: at.toISOString(),
      ...value,
    })
  }

  measured(category: Category, code: Term, unit: string, value: number, range?: Range): number {
    this.add(category, code, { valueQuantity: quantity(value, unit), ...(range && interpretation(value, range)) })
    return value
  }

  bloodPressure(): void {
    const systolic = number(this.#faker, 98, 168, 0)
    const diastolic = Math.round(systolic * number(this.#faker, 0.58, 0.68, 2))
    this.add('vital-signs', BLOOD_PRESSURE, {
      component: [
        { code: concept(LOINC, SYSTOLIC), valueQuantity: quantity(systolic, 'mm[Hg]') },
        { code: concept(LOINC, DIASTOLIC), valueQuantity: quantity(diastolic, 'mm[Hg]') },
      ],
      ...interpretation(systolic, { low: 90, high: 129 }),
    })
  }
}

function number(faker: Faker, min: number, max: number, fractionDigits: number): number {
  return faker.number.float({ min, max, fractionDigits })
}

function quantity(value: number, unit: string): object {
  return { value, unit, system: UCUM, code: unit }
}

function interpretation(value: number, { low, high }: Range): object {
  if (value >= low && value <= high) return {}
  const [code, display] = value > high ? ['H', 'High'] : ['L', 'Low']
  const system = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation'
  return { interpretation: [{ coding: [{ system, code, display }] }] }
}
