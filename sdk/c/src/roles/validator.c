/* The role `validator`: what the host calls -> the function that SW_VALIDATOR names. */
#include <string.h>

#include "../internal.h"

extern const sw_role_validator sw_validator;

void sw_found(sw_findings *findings, sw_finding finding) {
    size_t count = finding.sample_count < 20 ? finding.sample_count : 20;
    uint64_t *sample = sw_alloc(count * sizeof *sample);
    if (count) memcpy(sample, finding.sample, count * sizeof *sample);
    SW_PUSH(findings, (exports_stepwell_step_validator_finding_t){
                          .check = sw_copied(finding.check),
                          .column = {finding.column != NULL, sw_copied(finding.column)},
                          .severity = finding.error ? EXPORTS_STEPWELL_STEP_VALIDATOR_SEVERITY_ERROR
                                                    : EXPORTS_STEPWELL_STEP_VALIDATOR_SEVERITY_WARNING,
                          .passed = finding.passed,
                          .observed = sw_copied(finding.observed),
                          .expected = sw_copied(finding.expected),
                          .sample = {sample, count},
                      });
}

bool exports_stepwell_step_validator_check(exports_stepwell_step_validator_own_table_t rows,
                                           exports_stepwell_step_validator_own_table_t *reference,
                                           exports_stepwell_step_validator_list_finding_t *ret, sw_error *error) {
    sw_findings findings = {0};
    sw_validator.check(sw_table_from(rows.__handle), reference ? sw_table_from(reference->__handle) : NULL, &findings);
    *ret = (exports_stepwell_step_validator_list_finding_t){findings.items, findings.count};
    SW_RETURN(error);
}

SW_POST_RETURN("validator@0.1.0#check", validator_check)
