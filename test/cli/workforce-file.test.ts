import { describe, expect, it } from 'vitest'
import { readWorkforceFile, WorkforceRefused } from '../../cli/workforce-file.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import { OTHER_PATIENT, PATIENT } from '../gateway/crypto/place-fixtures.ts'

const read = (text: string) => readWorkforceFile(new TextEncoder().encode(text))
/** The faults as `line column why`. */
function faultsOf(file: string | Uint8Array): readonly string[] {
  try {
    readWorkforceFile(typeof file === 'string' ? new TextEncoder().encode(file) : file)
    return []
  } catch (error) {
    if (!(error instanceof WorkforceRefused)) throw error
    return error.faults.map(({ line, column, why }) => [line, column, why].filter((one) => one !== undefined).join(' '))
  }
}
const NODE = encodeNodeId({ type: 'Patient' as TypeName, id: PATIENT as string as RecordId, patient: PATIENT })

describe('a workforce file', () => {
  it('has a row for each user, and for each person of public interest', () => {
    const [lee, star, ...others] = read(`user,name,patient,patientNumber,familyName,street,postalCode,phone,vip
j.lee,Jordan Lee,${NODE},MR 1,Lee,"12 Elm Street, Apt 3",02139,617-555-0142,
,,,MR 2,,,,,YES
`)
    expect(lee).toEqual({
      user: 'j.lee',
      name: 'Jordan Lee',
      vip: false,
      values: {
        patient: PATIENT,
        patientNumber: 'MR 1',
        familyName: 'Lee',
        street: '12 Elm Street, Apt 3',
        postalCode: '02139',
        phone: '617-555-0142',
      },
    })
    expect(star).toMatchObject({ user: undefined, name: undefined, vip: true, values: { patientNumber: 'MR 2' } })
    expect(others).toEqual([])
  })

  it.each([
    ['a byte order mark', '\uFEFFuser,name\nu1,Ann Lee\n'],
    ['CRLF', 'user,name\r\nu1,Ann Lee\r\n'],
    ['quotes', '"user","name"\n"u1","Ann Lee"'],
    ['empty lines and spaces', '\nuser , name\n\n u1 , Ann Lee \n\n'],
    ['columns in another order', 'vip,name,user\nno,Ann Lee,u1'],
  ])('is the same with %s', (_, text) => {
    expect(read(text)).toEqual(read('user,name\nu1,Ann Lee'))
  })

  it('can leave out every column but the user, and every value but the user', () => {
    const [one] = read('user\nu1')
    expect(one).toMatchObject({ user: 'u1', name: undefined, vip: false })
    expect(Object.values(one?.values ?? {}).filter((value) => value !== undefined)).toEqual([])
    expect(read('user,name,street,vip\nu1,,,')).toEqual([one])
  })

  it('has formulas and names of members of objects as texts', () => {
    const text = 'user,name\n=1+1,"=HYPERLINK(""x"",""y"")"\n@SUM(A1),+1\n__proto__,constructor'
    expect(read(text).map(({ user, name }) => [user, name])).toEqual([
      ['=1+1', '=HYPERLINK("x","y")'],
      ['@SUM(A1)', '+1'],
      ['__proto__', 'constructor'],
    ])
  })
})

describe('a workforce file is refused', () => {
  const long = 'x'.repeat(257)
  const foreign = encodeNodeId({ type: 'Encounter' as TypeName, id: OTHER_PATIENT as string as RecordId, patient: PATIENT })
  it.each<[string, string | Uint8Array, string[]]>([
    ['without content', '', ['EMPTY']],
    ['without rows', 'user,name\n', ['EMPTY']],
    ['without a column of users', 'name\nAnn', ['1 HEADER']],
    ['with an unknown column', 'user,salary\nu1,1', ['1 HEADER']],
    ['with a column twice', 'user,name,name\nu1,a,b', ['1 HEADER']],
    ['with a column that is a member of objects', 'user,__proto__\nu1,a', ['1 HEADER']],
    ['with a row of fewer cells', 'user,name,phone\nu1,a,1\nu2,b', ['3 CSV']],
    ['with a row of more cells', 'user,name\nu1,a\n\nu2,b,c', ['4 CSV']],
    ['with a quotation mark inside a cell', 'user,name\nu1,a"b"', ['2 CSV']],
    ['with an open quotation mark', 'user,name\nu1,"a\nu2,b', ['3 CSV']],
    ['with a record that has no end', `user,name\nu1,"${'x\n'.repeat(20_000)}`, ['5001 CSV']],
    ['in UTF-16', new Uint8Array(Buffer.from('\uFEFFuser\nu1', 'utf16le')), ['ENCODING']],
    ['in Latin-1', new Uint8Array(Buffer.from('user,name\nu1,M\u00fcller', 'latin1')), ['ENCODING']],
    ['with a lone surrogate', new Uint8Array([...Buffer.from('user\nu'), 0xed, 0xa0, 0x80]), ['ENCODING']],
    ['that is too large', new Uint8Array(32 * 2 ** 20 + 1), ['SIZE']],
    ['with NUL', 'user,name\nu1,a\0b', ['2 name TEXT']],
    ['with a control of the terminal', 'user,name\nu\u001b[2J,a', ['2 user TEXT']],
    ['with a control of the direction', 'user,name\nu1,a\u202eb', ['2 name TEXT']],
    ['with a line break in a cell', 'user,name\nu1,"a\nb"\n,c', ['3 name TEXT', '4 user USER']],
    ['with a cell that is too long', `user,street\nu1,${long}`, ['2 street TEXT']],
    ['with a user twice', 'user\nu1\nu2\nu1', ['4 user USER_TWICE']],
    ['with rows without a user', 'user,name\n,a\n,b', ['2 user USER', '3 user USER']],
    ['with a person of public interest without a patient', 'user,vip\n,yes', ['2 user USER']],
    ['with a person of public interest twice', 'user,patientNumber,vip\n,MR 1,yes\n,MR 1,yes', ['3 patient PATIENT_TWICE']],
    ['with other values of a person of public interest', `user,name,patient,vip\n,Ann,${PATIENT},yes`, ['2 name VIP_ALONE']],
    ['with another word than yes and no', 'user,vip\nu1,true', ['2 vip VIP']],
    [
      'with a number that names no patient',
      'user,patientNumber,vip\n,000,yes\nu1,-,',
      ['2 patientNumber NUMBER', '3 patientNumber NUMBER'],
    ],
    ['with the id of a resource in the source', 'user,patient\nu1,Patient/riverside-1', ['2 patient PATIENT']],
    ['with the id of a record of a patient', `user,patient\nu1,${foreign}`, ['2 patient PATIENT']],
  ])('%s', (_, file, faults) => {
    expect(faultsOf(file)).toEqual(faults)
  })

  it('P8: with the line and the column of each fault, at most a hundred, and without a value', () => {
    const row = 'secret-user,Secret Name,secret-patient,0,Secret,1 Secret St,secret,secret,maybe'
    const file = `user,name,patient,patientNumber,familyName,street,postalCode,phone,vip\n${`${row}\n`.repeat(100)}`
    expect(faultsOf(file)).toHaveLength(100)
    expect(() => read(file)).toThrow(
      /^line 2, patientNumber has no letter, .*\nline 2, patient is not a patient id .*\nline 2, vip is /,
    )
    for (const text of [file, 'user,name\nu1,secret"x"', 'user,secret\nu1,a']) {
      expect(() => read(text)).toThrow(WorkforceRefused)
      expect(() => read(text)).not.toThrow(/secret/i)
    }
  })
})

it('a patient id as records have it is the one that the API returns', () => {
  const of = (id: string) => read(`user,patient\nu1,${id}`)
  expect(of(PATIENT)).toEqual(of(NODE))
})
