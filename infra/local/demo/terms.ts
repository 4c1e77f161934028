import type { Term } from './resources.ts'

// Real codes, so that you can look them up: SNOMED CT, RxNorm, CVX and LOINC.

export interface Problem {
  readonly condition: Term
  /** RxNorm. */
  readonly medication: Term
  readonly dosage: string
  /** Days until the problem is resolved. Undefined for a chronic problem. */
  readonly days?: number
  /** The sentence about the problem in a note. */
  readonly note: string
}

export const PROBLEMS: readonly Problem[] = [
  {
    condition: ['59621000', 'Essential hypertension'],
    medication: ['314076', 'lisinopril 10 MG Oral Tablet'],
    dosage: 'Take one tablet in the morning.',
    note: 'Blood pressure discussed, home readings to be brought along next time.',
  },
  {
    condition: ['44054006', 'Diabetes mellitus type 2'],
    medication: ['860975', '24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet'],
    dosage: 'Take one tablet with the evening meal.',
    note: 'Diet and foot care discussed, HbA1c again in three months.',
  },
  {
    condition: ['55822004', 'Hyperlipidemia'],
    medication: ['314231', 'simvastatin 10 MG Oral Tablet'],
    dosage: 'Take one tablet at bedtime.',
    note: 'Lipids above target, no muscle pain under treatment.',
  },
  {
    condition: ['195967001', 'Asthma'],
    medication: ['745679', '200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler'],
    dosage: 'Inhale two puffs when short of breath, at most four times a day.',
    note: 'Inhaler technique shown once more, wheezing only after exercise.',
  },
  {
    condition: ['235595009', 'Gastroesophageal reflux disease'],
    medication: ['198051', 'omeprazole 20 MG Delayed Release Oral Capsule'],
    dosage: 'Take one capsule before breakfast for eight weeks.',
    note: 'Heartburn mostly at night, no weight loss, no trouble swallowing.',
  },
  {
    condition: ['239873007', 'Osteoarthritis of knee'],
    medication: ['849574', 'naproxen sodium 220 MG Oral Tablet'],
    dosage: 'Take one tablet with food when in pain, at most twice a day.',
    note: 'Knee stiff in the morning, referred to physical therapy.',
  },
  {
    condition: ['10509002', 'Acute bronchitis'],
    medication: ['308182', 'amoxicillin 250 MG Oral Capsule'],
    dosage: 'Take one capsule three times a day for seven days.',
    days: 12,
    note: 'Coughing for ten days, lungs clear at the bases.',
  },
]

export const VISITS: readonly Term[] = [
  ['162673000', 'General examination of patient'],
  ['390906007', 'Follow-up encounter'],
  ['185345009', 'Encounter for symptom'],
]

export const ALLERGIES: readonly Term[] = [
  ['91936005', 'Allergy to penicillin'],
  ['300916003', 'Allergy to latex'],
  ['91935009', 'Allergy to peanut'],
]
export const REACTIONS: readonly Term[] = [
  ['247472004', 'Weal'],
  ['271807003', 'Eruption of skin'],
  ['267036007', 'Dyspnea'],
]

export const VACCINES: readonly Term[] = [
  ['140', 'Influenza, seasonal, injectable, preservative free'],
  ['115', 'Tdap'],
  ['133', 'Pneumococcal conjugate PCV 13'],
  ['121', 'zoster vaccine, live'],
]

export const PROCEDURES: readonly Term[] = [
  ['430193006', 'Medication reconciliation'],
  ['29303009', 'Electrocardiographic procedure'],
  ['73761001', 'Colonoscopy'],
  ['399208008', 'Plain X-ray of chest'],
]

export const NOTES: readonly Term[] = [
  ['34117-2', 'History and physical note'],
  ['11506-3', 'Progress note'],
]

export const PAYERS = ['Example Mutual Health Plan', 'Sample State Insurance', 'Placeholder Benefit Society']

/** HL7 v3 ActCode. */
export const PLANS: readonly Term[] = [
  ['HIP', 'health insurance plan policy'],
  ['EHCPOL', 'extended healthcare'],
  ['PUBLICPOL', 'public healthcare'],
]
