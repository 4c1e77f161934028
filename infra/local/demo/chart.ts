import type { Faker } from '@faker-js/faker'
import { LOINC, type Resource, SNOMED, type Term, concept } from './resources.ts'
import { ALLERGIES, NOTES, PAYERS, PLANS, PROBLEMS, PROCEDURES, type Problem, REACTIONS, VACCINES, VISITS } from './terms.ts'

const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm'
const CVX = 'http://hl7.org/fhir/sid/cvx'
const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export interface ChartOptions {
  readonly patient: string
  readonly observations: readonly Resource[]
  /** The practitioner that sees the patient and writes the notes. */
  readonly practitioner: string
  readonly organization: string
}

/**
 * Generates about twenty resources from a patient's visits, each linked to its visit. Visits take place at the times of some
 * observations. The result includes the observations, and those of a visit refer to it as their encounter.
 */
export function demoChart(faker: Faker, options: ChartOptions): Resource[] {
  return new Chart(faker, options).resources()
}

interface Visit {
  readonly id: string
  readonly start: Date
  readonly type: Term
}

class Chart {
  readonly #faker: Faker
  readonly #options: ChartOptions
  readonly #visits: readonly Visit[]
  readonly #problems: readonly Problem[]
  readonly #observations: readonly Resource[]

  constructor(faker: Faker, options: ChartOptions) {
    this.#faker = faker
    this.#options = options
    const measured = faker.helpers.arrayElements(options.observations, { min: 3, max: 6 })
    const times = new Map(measured.map((one) => [one.id, new Date(String(one['effectiveDateTime']))]))
    const inOrder = [...times].sort(([, one], [, other]) => one.getTime() - other.getTime())
    this.#visits = inOrder.map(([, at], index) => ({
      id: `${options.patient}-visit-${index + 1}`,
      start: new Date(at.getTime() - 10 * MINUTE),
      type: faker.helpers.arrayElement(VISITS),
    }))
    const visits = new Map(inOrder.map(([id], index) => [id, this.#visits[index]]))
    this.#observations = options.observations.map((one) => {
      const visit = visits.get(one.id)
      return visit ? { ...one, encounter: { reference: `Encounter/${visit.id}` } } : one
    })
    this.#problems = faker.helpers.arrayElements(PROBLEMS, { min: 1, max: 4 })
  }

  resources(): Resource[] {
    const faker = this.#faker
    const allergies = faker.helpers.arrayElements(ALLERGIES, { min: 0, max: 1 })
    const vaccines = faker.helpers.arrayElements(VACCINES, { min: 1, max: 3 })
    const procedures = faker.helpers.arrayElements(PROCEDURES, { min: 1, max: 2 })
    const notes = NOTES.slice(0, faker.number.int({ min: 1, max: 2 }))
    const claims = this.#visits.slice(0, faker.number.int({ min: 1, max: 3 }))
    return [
      ...this.#observations,
      ...this.#visits.map((visit, index) => this.#encounter(visit, this.#problems[index])),
      ...this.#problems.map((problem, index) => this.#condition(problem, index)),
      ...this.#problems.slice(0, 3).map((problem, index) => this.#medicationRequest(problem, index)),
      ...allergies.map((term) => this.#allergy(term)),
      ...vaccines.map((term, index) => this.#immunization(term, index)),
      ...procedures.map((term, index) => this.#procedure(term, index)),
      ...notes.map((term, index) => this.#note(term, index)),
      this.#coverage(),
      ...claims.map((visit, index) => this.#claim(visit, index)),
    ]
  }

  #encounter(visit: Visit, problem: Problem | undefined): Resource {
    const { practitioner, organization } = this.#options
    const end = new Date(visit.start.getTime() + 30 * MINUTE)
    return {
      resourceType: 'Encounter',
      id: visit.id,
      status: 'finished',
      class: { system: ACT_CODE, code: 'AMB', display: 'ambulatory' },
      type: [concept(SNOMED, visit.type)],
      subject: this.#subject(),
      participant: [{ individual: { reference: `Practitioner/${practitioner}` } }],
      period: { start: visit.start.toISOString(), end: end.toISOString() },
      ...(problem && { reasonCode: [concept(SNOMED, problem.condition)] }),
      serviceProvider: { reference: `Organization/${organization}` },
    }
  }

  #condition(problem: Problem, index: number): Resource {
    const visit = this.#visitOf(index)
    const { days } = problem
    const system = 'http://terminology.hl7.org/CodeSystem/condition-clinical'
    return {
      ...this.#of('Condition', 'condition', index, visit),
      clinicalStatus: { coding: [{ system, code: days === undefined ? 'active' : 'resolved' }] },
      verificationStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code: 'confirmed' }],
      },
      code: concept(SNOMED, problem.condition),
      onsetDateTime: visit.start.toISOString().slice(0, 10),
      ...(days !== undefined && { abatementDateTime: new Date(visit.start.getTime() + days * DAY).toISOString().slice(0, 10) }),
      recordedDate: visit.start.toISOString(),
    }
  }

  #medicationRequest({ medication, dosage, days }: Problem, index: number): Resource {
    const visit = this.#visitOf(index)
    return {
      ...this.#of('MedicationRequest', 'medication', index, visit),
      status: days === undefined ? 'active' : 'completed',
      intent: 'order',
      medicationCodeableConcept: concept(RXNORM, medication),
      authoredOn: visit.start.toISOString(),
      requester: { reference: `Practitioner/${this.#options.practitioner}` },
      dosageInstruction: [{ text: dosage }],
    }
  }

  #allergy(term: Term): Resource {
    const system = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'
    return {
      resourceType: 'AllergyIntolerance',
      id: `${this.#options.patient}-allergy-1`,
      clinicalStatus: { coding: [{ system, code: 'active' }] },
      criticality: this.#faker.helpers.arrayElement(['low', 'high']),
      code: concept(SNOMED, term),
      patient: this.#subject(),
      recordedDate: this.#visitOf(0).start.toISOString(),
      reaction: [{ manifestation: [concept(SNOMED, this.#faker.helpers.arrayElement(REACTIONS))] }],
    }
  }

  #immunization(term: Term, index: number): Resource {
    const visit = this.#visitOf(index)
    return {
      resourceType: 'Immunization',
      id: `${this.#options.patient}-immunization-${index + 1}`,
      status: 'completed',
      vaccineCode: concept(CVX, term),
      patient: this.#subject(),
      encounter: { reference: `Encounter/${visit.id}` },
      occurrenceDateTime: visit.start.toISOString(),
    }
  }

  #procedure(term: Term, index: number): Resource {
    const visit = this.#visitOf(index + 1)
    const end = new Date(visit.start.getTime() + 20 * MINUTE)
    return {
      ...this.#of('Procedure', 'procedure', index, visit),
      status: 'completed',
      code: concept(SNOMED, term),
      performedPeriod: { start: visit.start.toISOString(), end: end.toISOString() },
    }
  }

  #note(term: Term, index: number): Resource {
    const visit = this.#visitOf(index)
    const problem = this.#problems[index % this.#problems.length]
    const text = `${visit.type[1]}.\n${problem?.condition[1] ?? ''}: ${problem?.note ?? ''}\n`
    const data = Buffer.from(text).toString('base64')
    return {
      resourceType: 'DocumentReference',
      id: `${this.#options.patient}-note-${index + 1}`,
      status: 'current',
      type: concept(LOINC, term),
      subject: this.#subject(),
      date: visit.start.toISOString(),
      author: [{ reference: `Practitioner/${this.#options.practitioner}` }],
      content: [{ attachment: { contentType: 'text/plain; charset=utf-8', data } }],
      context: { encounter: [{ reference: `Encounter/${visit.id}` }] },
    }
  }

  #coverage(): Resource {
    const faker = this.#faker
    return {
      resourceType: 'Coverage',
      id: `${this.#options.patient}-coverage`,
      status: 'active',
      contained: [{ resourceType: 'Organization', id: 'payer', name: faker.helpers.arrayElement(PAYERS) }],
      type: concept(ACT_CODE, faker.helpers.arrayElement(PLANS)),
      subscriberId: `SUB-${faker.string.numeric(9)}`,
      beneficiary: this.#subject(),
      period: { start: `${faker.number.int({ min: 2015, max: 2020 })}-01-01` },
      payor: [{ reference: '#payer' }],
    }
  }

  #claim(visit: Visit, index: number): Resource {
    const system = 'http://terminology.hl7.org/CodeSystem/claim-type'
    return {
      resourceType: 'Claim',
      id: `${this.#options.patient}-claim-${index + 1}`,
      status: 'active',
      type: { coding: [{ system, code: 'professional' }] },
      use: 'claim',
      patient: this.#subject(),
      created: new Date(visit.start.getTime() + DAY).toISOString(),
      diagnosis: [
        {
          sequence: 1,
          diagnosisReference: { reference: `Condition/${this.#options.patient}-condition-${(index % this.#problems.length) + 1}` },
        },
      ],
      item: [{ sequence: 1, encounter: [{ reference: `Encounter/${visit.id}` }] }],
      total: { value: this.#faker.number.float({ min: 60, max: 900, fractionDigits: 2 }), currency: 'USD' },
    }
  }

  #of(resourceType: string, name: string, index: number, visit: Visit): Resource {
    return {
      resourceType,
      id: `${this.#options.patient}-${name}-${index + 1}`,
      subject: this.#subject(),
      encounter: { reference: `Encounter/${visit.id}` },
    }
  }

  #subject(): object {
    return { reference: `Patient/${this.#options.patient}` }
  }

  /** A patient has at least three visits. An index past the last visit starts again at the first. */
  #visitOf(index: number): Visit {
    const visit = this.#visits[index % this.#visits.length]
    if (visit === undefined) throw new RangeError('The demo patient has no visit. Pass at least one observation.')
    return visit
  }
}
