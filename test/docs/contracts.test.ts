import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { admitContract, contractJson } from '../../gateway/operations/contracts/contract-text.ts'
import { proposeContract } from '../../gateway/operations/contracts/propose.ts'
import { readManifest } from '../../gateway/operations/persisted/manifest.ts'
import { clinic, clinicProver, faultsOf, NOW } from '../gateway/operations/contracts/fixtures.ts'

const text = readFileSync(new URL('../../docs/contracts.md', import.meta.url), 'utf8')
const block = (name: string): string => new RegExp(`^\`\`\`json ${name}\n([\\s\\S]*?)^\`\`\``, 'm').exec(text)?.[1] ?? ''

const contract = admitContract(block('contract'), clinic.policy, NOW)
const manifest = readManifest(block('manifest'))

it('P10: the example of docs/contracts.md is proved', () => {
  expect(manifest).toHaveLength(2)
  for (const operation of manifest) expect(faultsOf(clinicProver.prove(operation.text, contract)), operation.name).toEqual([])
})

it('P10: the contract of docs/contracts.md is the smallest one', () => {
  const { client, recipient, expiresAt, networks } = contract
  const proposal = proposeContract(clinicProver, manifest, { client, recipient, expiresAt, networks })
  expect(proposal.refused).toEqual([])
  expect(contractJson(proposal.contract)).toEqual(contractJson(contract))
})

it('P10: the example fails as docs/contracts.md says', () => {
  const [coverage] = manifest
  const adding = (name: string) => faultsOf(clinicProver.prove(coverage?.text.replace(' mrn', ` mrn ${name}`) ?? '', contract))
  expect(adding('birthDate')).toEqual(['Patient.birthDate NOT_IN_CONTRACT', 'Patient.birthDate CATEGORY DEMOGRAPHIC'])
  expect(adding('ssn')).toEqual(['Patient.ssn NOT_IN_CONTRACT', 'Patient.ssn NO_GRANT'])
})
