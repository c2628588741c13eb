#include "CNFTables.h"

#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

CNFTablesResult CNFTables_run(const char *commands, bool is_check, bool as_json) {
    CNFTablesResult result = {false, NULL, NULL};
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
    if (context == NULL) {
        result.output = strdup("");
        result.error = strdup("libnftables cannot be opened");
        return result;
    }
    nft_ctx_buffer_output(context);
    nft_ctx_buffer_error(context);
    unsigned int flags = NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE;
    nft_ctx_output_set_flags(context, as_json ? flags | NFT_CTX_OUTPUT_JSON : flags);
    nft_ctx_set_dry_run(context, is_check);
    result.succeeded = nft_run_cmd_from_buffer(context, commands) == 0;
    result.output = strdup(nft_ctx_get_output_buffer(context));
    result.error = strdup(nft_ctx_get_error_buffer(context));
    nft_ctx_free(context);
    return result;
}

void CNFTables_free(CNFTablesResult result) {
    free(result.output);
    free(result.error);
}
