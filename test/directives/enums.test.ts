import { type GraphQLEnumType, isEnumType } from 'graphql'
import { expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { PURPOSES_OF_USE } from '../../directives/policy.ts'
import { CONFIDENTIALITIES } from '../../directives/record-labels.ts'
import { VIEWS } from '../../directives/view-rules.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'

const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })

const valuesOf = (name: string): string[] => {
  const type = schema.getType(name)
  if (!isEnumType(type)) throw new TypeError(`${name} is not an enum`)
  return (type satisfies GraphQLEnumType).getValues().map((value) => value.name)
}

it.each([
  ['View', Object.keys(VIEWS)],
  ['PurposeOfUse', [...PURPOSES_OF_USE]],
  ['Confidentiality', [...CONFIDENTIALITIES]],
])('P3: the code and the closed enum %s have the same values in the same order', (name, values) => {
  expect(values).toEqual(valuesOf(name))
})
