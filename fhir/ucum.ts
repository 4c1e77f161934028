// UCUM builds units from prefixes, atoms, exponents and operators. The atoms here are those of the value set of common units of
// FHIR, which has 1,364 codes. The annotations in braces have no meaning in UCUM.
// @source https://ucum.org/ucum; http://hl7.org/fhir/R4/valueset-ucum-common.html

/** The maximum length of a code, in characters. The longest code of the value set has 32. */
const MAX_CODE = 100

const PREFIXES = 'Y Z E P T G M k h da d c m u n p f a z y Ki Mi Gi Ti'.split(' ')

/** Atoms with or without a prefix. */
const METRIC: ReadonlySet<string> = new Set(
  (
    'A B B[SPL] B[V] B[W] B[kW] B[mV] B[uV] Bd Bi Bq By C Cel Ci F G Gal Gb Gy H Hz J K Ky L Lmb Mx N Np Oe Ohm P Pa R RAD REM S St Sv ' +
    'T U V W Wb [G] [IU] [c] [e] [eps_0] [h] [iU] [k] [ly] [m_e] [m_p] [mu_0] ar bar bit cal cal_IT cal_[15] cal_[20] cal_m cal_th ' +
    'cd dyn eV eq erg g g% gf kat l lm lx m m[H2O] m[Hg] mho mol osm pc ph rad s sb sr st t u'
  ).split(' '),
)

/** Atoms without a prefix. */
const PLAIN: ReadonlySet<string> = new Set(
  (
    "% %[slope] ' '' 10* 10^ AU Ao [APL'U] [AU] [Amb'a'1'U] [BAU] [Btu] [Btu_39] [Btu_59] [Btu_60] [Btu_IT] [Btu_m] [Btu_th] [CCID_50] [CFU] " +
    "[Cal] [Ch] [D'ag'U] [FFU] [GPL'U] [HPF] [HP] [LPF] [Lf] [MET] [MPL'U] [PFU] [PNU] [PRU] [S] [TCID_50] [USP'U] " +
    "[acr_br] [acr_us] [arb'U] [bbl_us] [bdsk'U] [beth'U] [bf_i] [bu_br] [bu_us] [car_Au] [car_m] [cft_i] [ch_br] [ch_us] [cicero] " +
    "[cin_i] [cml_i] [cr_i] [crd_us] [cup_us] [cyd_i] [degF] [didot] [diop] [dpt_us] [dqt_us] [dr_ap] [dr_av] [drp] [dye'U] [fdr_br] " +
    '[fdr_us] [foz_br] [foz_us] [ft_br] [ft_i] [ft_us] [fth_br] [fth_i] [fth_us] [fur_us] [gal_br] [gal_us] [gal_wi] [gil_br] [gil_us] [gr] ' +
    "[hd_i] [hnsf'U] [hp_C] [hp_M] [hp_Q] [hp_X] [in_br] [in_i'H2O] [in_i'Hg] [in_i] [in_us] [ka'U] [kn_br] [kn_i] [knk'U] [lb_ap] [lb_av] " +
    "[lb_tr] [lbf_av] [lcwt_av] [ligne] [lk_br] [lk_us] [lne] [lton_av] [mclg'U] [mesh_i] [mi_br] [mi_i] [mi_us] [mil_i] [mil_us] [min_br] " +
    "[min_us] [nmi_br] [nmi_i] [oz_ap] [oz_av] [oz_tr] [p'diop] [pH] [pc_br] [pca] [pca_pr] [pi] [pied] [pk_br] [pk_us] [pnt] [pnt_pr] " +
    '[pouce] [ppb] [ppm] [ppth] [pptr] [psi] [pt_br] [pt_us] [pwt_tr] [qt_br] [qt_us] [rch_us] [rd_br] [rd_us] [rlk_us] [sc_ap] [sct] ' +
    "[scwt_av] [sft_i] [sin_i] [smgy'U] [smi_us] [smoot] [srd_us] [ston_av] [stone_av] [syd_i] [tb'U] [tbs_us] [todd'U] [tsp_us] [twp] " +
    '[yd_br] [yd_i] [yd_us] a a_g a_j a_t atm att b bit_s circ d deg gon h min mo mo_g mo_j mo_s sph wk'
  ).split(' '),
)

/**
 * An operator, a parenthesis, or an operand: a unit, a number or nothing, with an annotation or without. UCUM has no spaces in annotations,
 * and no annotation after a parenthesis. The value set of FHIR has both.
 */
const TOKEN = /[./()]|(?<unit>(?:\[[!-Z\\^-z|~]+\]|[^\s./()[\]{}])*)(?:\{[ -z|~]*\})?/y
/** A unit with its exponent. Powers of ten are an atom: `10*3`. */
const POWER = /^(?<atom>10[*^]|.*?[^\d+-])(?:[+-]?\d+)?$/

/**
 * Whether a text is a UCUM code, in the case-sensitive variant, of the atoms above.
 *
 * @source https://ucum.org/ucum#section-Grammar-of-Units-and-Unit-Terms
 */
export function isUcumCode(text: string): boolean {
  if (text === '' || text.length > MAX_CODE) return false
  const token = new RegExp(TOKEN)
  let depth = 0
  let expects: 'OPERAND' | 'OPERATOR' = 'OPERAND'
  while (token.lastIndex < text.length) {
    const before = text.charAt(token.lastIndex - 1)
    const found = token.exec(text)
    if (found === null || found[0] === '') return false
    const [part] = found
    if (part === '.' || part === '/') {
      // a unit can begin with a division: `/min`
      if (expects === 'OPERAND' && !(before === '' && part === '/')) return false
      expects = 'OPERAND'
    } else if (part === '(') {
      if (expects === 'OPERATOR') return false
      depth++
    } else if (part === ')') {
      if (expects === 'OPERAND' || depth === 0) return false
      depth--
    } else {
      const unit = found.groups?.['unit'] ?? ''
      if (expects === 'OPERATOR' ? before !== ')' || unit !== '' : !isOperand(unit)) return false
      expects = 'OPERATOR'
    }
  }
  return depth === 0 && expects === 'OPERATOR'
}

function isOperand(unit: string): boolean {
  if (unit === '' || /^\d+$/.test(unit)) return true
  const atom = POWER.exec(unit)?.groups?.['atom']
  if (atom === undefined) return false
  if (PLAIN.has(atom) || METRIC.has(atom)) return true
  return PREFIXES.some((prefix) => atom.startsWith(prefix) && METRIC.has(atom.slice(prefix.length)))
}
