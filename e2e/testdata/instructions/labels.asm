; A function as nasm and yasm write it: no size, local labels, a macro's labels, a jump over padding, a call of a place within.
section .text
%ifidn __OUTPUT_FORMAT__, macho64
%define work _work
%endif
%macro skip 0
	jmp short %%over
	align 16
%%over:
%endmacro

global work
work:
	xor eax, eax
	skip
	jmp near .column_end
	align 16
.column:
	vpaddd ymm0, ymm0, ymm0
.column_end:
	call .inside
	vpaddd ymm1, ymm1, ymm1
	vzeroupper
	ret
.inside:
	vpaddd ymm2, ymm2, ymm2
	ret
